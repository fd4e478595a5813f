// Urging: an overdue answer is asked for again, from a list in two clicks: the button, and
// the signature. Who urged, and when, stands on top of what the provider's officer sees.
import { BellOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type Request, RequestState as R } from '@/gen/mulian/share/v1/share_pb'
import { account, useNames } from '@/chain/names'
import { rare } from '@/chain/rare'
import { moment } from '@/chain/words'
import { useTick } from '@/parts/clock'
import { useSign } from '@/parts/sign'
import { useWho } from '@/shell/who'
import { getRequest } from '../inbox/requests'
import { useAuthority } from './more'

const DAY_MS = 86_400_000 // between two urgings of one organisation, as the rules have it

/** Urge is there for who waits and for the authority, while the answer is late; nothing otherwise. */
export function Urge({ request: r, primary = false }: { request: Request; primary?: boolean }) {
  const { t } = useTranslation('deeds')
  const { signer } = useWho()
  const authority = useAuthority()
  const sign = useSign()
  const at = useTick(30_000)
  if (!signer?.org || !(authority || signer.org === r.requester) || r.state !== R.RECEIVED || at < Number(r.clock?.dueMs ?? 0n)) return null
  const own = r.urgings.find((u) => u.org === signer.org)
  if (own && at - Number(own.atMs) < DAY_MS) return <span className="second nowrap">{t('urge.done', { at: moment(own.atMs) })}</span>
  return <UrgeButton id={r.id} primary={primary} go={() => void sign({ title: t('urge.title'), acts: [{ case: 'urgeRequest', value: { request: r.id } }] })} />
}

/** UrgeById is the same where only the id of a request is known. */
export function UrgeById({ id }: { id: string }) {
  const authority = useAuthority()
  const read = useQuery({ ...getRequest(id), enabled: authority })
  return read.data?.request ? <Urge request={read.data.request} /> : null
}

function UrgeButton({ id, primary, go }: { id: string; primary?: boolean; go: () => void }) {
  const { t } = useTranslation('deeds')
  return (
    <Button size={primary ? undefined : 'small'} type={primary ? 'primary' : 'default'} icon={<BellOutlined />} data-testid="urge" aria-label={`${t('urge.title')} ${id}`}
      onClick={(e) => { e.stopPropagation(); go() }} onDoubleClick={(e) => e.stopPropagation()}>{t('urge.title')}</Button>
  )
}

/** Urgings tells who has urged, the newest first. */
export function Urgings({ request: r }: { request: Request }) {
  const { t } = useTranslation('deeds')
  const name = useNames(r.urgings.map((u) => account(u.org)))
  if (r.urgings.length === 0) return null
  return (
    <div className="note red" data-testid="urgings">
      {r.urgings.toReversed().map((u) => <div key={u.org}><BellOutlined /> <strong>{t(u.times > 1 ? 'urge.times' : 'urge.by', { who: name(account(u.org)), at: moment(u.atMs), n: u.times })}</strong>{u.note && ` ${rare(u.note)}`}</div>)}
    </div>
  )
}
