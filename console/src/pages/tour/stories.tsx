// The two stories, how far one is, and how it begins or goes on.
import { CheckOutlined } from '@ant-design/icons'
import { useRouter } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { usePulse } from '@/chain/live'
import { there } from '@/tour/frame'
import { beginTour, endTour, putAway, type Story, stepsOf, useTour } from '@/tour/steps'

const all: Story[] = ['share', 'box']

export function Stories() {
  const { t } = useTranslation('tour')
  return <ul className="seats">{all.map((s) => <li key={s} className="card seat" aria-label={t(`${s}.title`)}><OneStory story={s} /></li>)}</ul>
}

function OneStory({ story }: { story: Story }) {
  const { t } = useTranslation('tour')
  const { history } = useRouter()
  const { height } = usePulse()
  const tour = useTour()
  const mine = tour?.story === story ? tour : undefined
  const steps = stepsOf(story, there)
  const begin = () => {
    beginTour(story, Number(height))
    if (story === 'box') location.assign('/box')
  }
  const on = () => {
    putAway(false)
    if (story === 'box') location.assign('/box')
    else history.push('/')
  }
  return (
    <>
      <h2>{t(`${story}.title`)}</h2>
      <p className="second">{t(`${story}.lead`)}</p>
      <ol className="line">
        {steps.map((s, i) => (
          <li key={s.id} aria-current={mine && i === mine.at ? 'step' : undefined}>
            {mine && i < mine.at && <CheckOutlined aria-label={t('passed')} />} {t(`${story}.${s.id}.title`)} <small>{t(`who.${s.role}`)}</small>
          </li>
        ))}
      </ol>
      <p className="actions">
        {mine && mine.at < steps.length
          ? <><Button type="primary" onClick={on} data-testid={`resume-${story}`}>{t('resume', { n: mine.at + 1, of: steps.length })}</Button><Button onClick={begin}>{t('anew')}</Button><Button type="link" onClick={endTour}>{t('stop')}</Button></>
          : <Button type="primary" onClick={begin} data-testid={`tour-${story}`}>{t('begin')}</Button>}
      </p>
    </>
  )
}
