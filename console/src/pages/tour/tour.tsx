// The tour's own page: the stories, and what is happening beside them.
import { useTranslation } from 'react-i18next'
import { Link } from '@tanstack/react-router'
import { Empty } from '@/parts/states'
import { useWho } from '@/shell/who'
import { Feed } from './feed'
import { Stories } from './stories'

export default function TourPage() {
  const { t } = useTranslation('tour')
  const { here } = useWho()
  if (!here.demo) return <><h1>{t('title')}</h1><div className="card"><Empty text={t('none')} action={<Link to="/">{t('home')}</Link>} /></div></>
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <p className="second">{t('lead')}</p>
      <Stories />
      <section className="card" aria-labelledby="happening"><header><h2 id="happening">{t('feed.title')}</h2></header><div className="body"><Feed /></div></section>
    </>
  )
}
