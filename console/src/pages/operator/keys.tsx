// Keys of an organisation and of all its departments, posts and gateways.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { account, useNames } from '@/chain/names'
import { amount } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { type Held, KeysTable, stateOf } from './accounts'
import { listUnits } from './units'
import './operator.css'

const BOXES = ['signing', 'ending', 'ended'] as const

export default function Keys() {
  const { t } = useTranslation('operator')
  const { t: shell } = useTranslation('shell')
  const { signer, all } = useWho()
  const [address, change] = useAddress({ org: signer?.org ?? '', box: 'signing' })
  const name = useNames([account(address.org)])
  const query = useQuery({ ...listUnits(address.org), enabled: address.org !== '' })
  if (!address.org) return <><h1>{t('menu.keys')}</h1><div className="card"><Empty text={t('keys.nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  return (
    <>
      <div className="titles"><h1>{t('keys.title', { org: name(account(address.org)) })}</h1></div>
      <Loaded query={query}>
        {(d) => {
          const held = d.accounts.flatMap((a) => a.keys.map((key): Held => ({ account: a, key, mine: all.some((s) => s.account === a.id && s.keyId === key.id) })))
          const of = (box: string) => held.filter((h) => { const s = stateOf(h.key).words; return box === 'ending' ? s === 'soon' : box === 'ended' ? s !== 'soon' && s !== 'active' : s === 'active' || s === 'soon' })
          return (
            <>
              <div className="figures" role="group" aria-label={t('keys.board')}>
                {BOXES.map((b) => <button key={b} type="button" className={b === 'ending' && of(b).length > 0 ? 'figure red' : 'figure'} aria-pressed={address.box === b} onClick={() => change({ box: b })}><span>{t(`keys.${b}`)}</span><b>{amount(of(b).length)}</b></button>)}
              </div>
              {d.next && <p className="note amber">{t('keys.part', { n: d.accounts.length, total: amount(d.total) })}</p>}
              <section className="card" aria-label={t(`keys.${address.box}`)}><KeysTable held={of(address.box)} whose /></section>
              <p className="second">{t('keys.text')} <code>mulian key rotate</code></p>
            </>
          )
        }}
      </Loaded>
    </>
  )
}
