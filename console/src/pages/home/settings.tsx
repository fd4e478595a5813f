// Settings of this browser: letters of the keyboard, accounts that it holds keys for.
import { Button, Switch } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from '@tanstack/react-router'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { moment } from '@/chain/words'
import { Empty } from '@/parts/states'
import { useWho } from '@/shell/who'

const keys: [string, string][] = [['/', 'find'], ['Ctrl+K', 'find'], ['g i', 'inbox'], ['g e', 'explorer'], ['j  k', 'rows'], ['Enter', 'open'], ['A', 'authorise'], ['R', 'return'], ['Esc', 'close']]

export default function Settings() {
  const { t } = useTranslation('home')
  const { t: shell } = useTranslation('shell')
  const { all, drop } = useWho()
  const [letters, setLetters] = useState(localStorage.getItem('mulian.letters') !== 'off')
  return (
    <>
      <div className="titles"><h1>{shell('settings')}</h1></div>
      <section className="card"><header><h2>{t('keyboard')}</h2></header><div className="body sheet">
        <p className="actions">
          <Switch id="letters" checked={letters} onChange={(on) => { setLetters(on); localStorage.setItem('mulian.letters', on ? 'on' : 'off') }} />
          <label htmlFor="letters">{t('letters')}</label>
        </p>
        <dl className="facts">{keys.map(([k, what]) => [<dt key={`${k}k`}><kbd>{k}</kbd></dt>, <dd key={k}>{t(`keys.${what}`)}</dd>])}</dl>
      </div></section>
      <section className="card"><header><h2>{t('mine')}</h2></header>
        {all.length === 0 ? <Empty text={t('noKeys')} action={<Link to="/seats">{shell('signIn')}</Link>} /> : (
          <ul className="cards">{all.map((s) => (
            <li key={s.account}><div className="seat">
              <strong>{s.orgName || shell('person')} · {shell(`roles.${s.role}`)}</strong>
              <span className="second">{shell(`method.${s.method}`)} <code>{s.keyId}</code> · {moment(s.addedMs)}{s.endsMs !== undefined && ` · ${t('until', { end: moment(s.endsMs) })}`}</span>
              <span className="actions"><Link to={pathOf(account(s.account))}><code>{s.account}</code></Link> <Button danger size="small" onClick={() => void drop(s.account)}>{t('forget')}</Button></span>
            </div></li>
          ))}</ul>
        )}
        <p className="second" style={{ padding: '12px 16px' }}>{t('forgetText')}</p>
      </section>
    </>
  )
}
