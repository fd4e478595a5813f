// Seats: how people get in. In the demo every seat is one click away; on a member's own
// server a setup link gives one, or a sign-in at the organisation's identity provider. The key is made here and never leaves this browser.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { rpc } from '@/chain/rpc'
import { Empty, Loaded } from '@/parts/states'
import { Feed } from '@/pages/tour/feed'
import { Stories } from '@/pages/tour/stories'
import { lostSeat, usePasskeys } from '@/shell/take'
import { useWho } from '@/shell/who'
import { OneSeat } from './seat'
import { SignInCard } from './signin'

export default function Seats() {
  const { t } = useTranslation('home')
  const { here, all, signer, use } = useWho()
  const { t: shell } = useTranslation('shell')
  const { t: tour } = useTranslation('tour')
  const { token = '' } = useParams({ strict: false }) as { token?: string }
  const navigate = useNavigate()
  const offered = useQuery({ queryKey: ['seats', token], queryFn: async () => (await rpc(ConsoleService).listSeats({ token })).seats })
  // A link that this browser has used, and whose answer it did not get, looks used up.
  const lost = useQuery({ queryKey: ['seats', 'lost'], enabled: token !== '' && offered.data?.length === 0, queryFn: async () => (await lostSeat(here.chainId)) ?? null }).data
  const passkeys = usePasskeys() ?? false
  return (
    <>
      <div className="titles"><h1>{token ? t('setup') : t('seats')}</h1></div>
      <p className="second">{here.demo ? t('demo') : t(here.signIn ? 'ownSignIn' : 'own')} {here.demo && !token && <Link to="/tour">{t('first')}</Link>}</p>
      {all.length > 0 && (
        <section className="card" aria-label={t('mine')}>
          <header><h2>{t('mine')}</h2></header>
          <ul className="cards">
            {all.map((s) => (
              <li key={s.account} aria-current={s.account === signer?.account || undefined}>
                <button type="button" className="item" onClick={() => { use(s.account); void navigate({ to: '/' }) }}>
                  <span className="titles"><strong>{s.orgName || shell('person')} · {shell(`roles.${s.role}`)}</strong><span className="end pill grey">{shell(`method.${s.method}`)}</span></span>
                  <span className="meta mono">{s.account}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
      {here.signIn && !token && <SignInCard />}
      <Loaded query={offered} rows={4}>
        {(seats) => lost
          ? <><p className="note amber" role="status">{t('lost')}</p><ul className="seats"><li className="card seat"><OneSeat seat={lost.seat} token={token} passkeys={lost.passkey} only /></li></ul></>
          : seats.length === 0
            ? here.signIn && !token ? <p><Link to="/explorer">{t('look')}</Link></p> : <div className="card"><Empty text={token ? t('usedUp') : t('none')} action={<Link to="/explorer">{t('look')}</Link>} /></div>
            : <ul className="seats">{seats.map((s) => <li key={s.id} className="card seat"><OneSeat seat={s} token={token} passkeys={passkeys} /></li>)}</ul>}
      </Loaded>
      {here.demo && !token && (
        <>
          <h2>{tour('title')}</h2>
          <Stories />
          <section className="card" aria-labelledby="happening"><header><h2 id="happening">{tour('feed.title')}</h2></header><div className="body"><Feed /></div></section>
        </>
      )}
    </>
  )
}
