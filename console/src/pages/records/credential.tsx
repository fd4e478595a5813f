// The page of an issued credential: whether it holds, by whose word, and why not. What it says stays
// with its issuer and its holder; the ledger has a commitment.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { type Credential, CredentialSchema, CredentialState as S, StatusCause } from '@/gen/mulian/credential/v1/credential_pb'
import { CredentialService } from '@/gen/mulian/credential/v1/query_pb'
import { hex } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, date, moment } from '@/chain/words'
import { Command } from '@/parts/command'
import { Copy } from '@/parts/copy'
import { Clock, useTick } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { readObject } from '../catalogue/reads'
import { holds } from './holds'

const tones = { VALID: 'green', SUSPENDED: 'amber', REVOKED: 'red', SUPERSEDED: 'grey', EXPIRED: 'grey', UNSPECIFIED: 'grey' } as const

export default function CredentialPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(CredentialSchema, `credential/item/${id}`))}>{(c) => <Page c={c} />}</Loaded>
}

function Page({ c }: { c: Credential }) {
  const { t, i18n } = useTranslation('records')
  const at = useTick(30_000)
  const name = useNames([account(c.issuer), account(c.by)])
  const type = useQuery({ queryKey: ['credential/type/', c.type, String(c.version)], queryFn: () => rpc(CredentialService).getCredentialType({ id: c.type, version: c.version }) }).data?.type
  const state = holds(c, at)
  const item = (id: string) => `credential/item/${id}`
  const typeKey = `credential/type/${c.type}/${c.version.toString(16).padStart(16, '0')}`
  const sum = hex(c.commitment)
  return (
    <ObjectPage
      object={item(c.id)} number={c.id} title={type?.name || t('credential')} schema={CredentialSchema} value={c}
      state={<State words={t(`holds.${state}`)} tone={tones[state]} />} clock={c.state === S.SUSPENDED && c.dueMs > 0n ? <Clock dueMs={c.dueMs} totalMs={Number(c.dueMs - c.stateMs)} /> : undefined}
      relations={[account(c.issuer), typeKey, ...[c.supersedes, c.supersededBy].filter(Boolean).map(item)]}
      overview={
        <>
          <p style={{ marginBottom: 12 }}>{t(`holdsText.${state}`)}</p>
          <dl className="facts">
            <dt>{t('issuer')}</dt><dd><Link to={pathOf(account(c.issuer))}>{name(account(c.issuer))}</Link></dd>
            <dt>{t('type')}</dt><dd><Link to={pathOf(typeKey)}>{type?.name || c.type}</Link> · {t('version', { n: String(c.version) })}</dd>
            <dt>{t('issued')}</dt><dd>{moment(c.issuedMs)}</dd>
            <dt>{t('expires')}</dt><dd>{c.expiresMs > 0n ? date(c.expiresMs) : t('noEnd')}</dd>
            {c.state !== S.VALID && <><dt>{t('since')}</dt><dd>{moment(c.stateMs)} · {t(`cause.${StatusCause[c.cause]}`)} · {name(account(c.by))}</dd></>}
            {c.note && <><dt>{t('note')}</dt><dd>{c.note}</dd></>}
            {c.supersedes && <><dt>{t('supersedes')}</dt><dd><Link to={pathOf(item(c.supersedes))}><code>{c.supersedes}</code></Link></dd></>}
            {c.supersededBy && <><dt>{t('supersededBy')}</dt><dd><Link to={pathOf(item(c.supersededBy))}><code>{c.supersededBy}</code></Link></dd></>}
            <dt>{t('bit')}</dt><dd>{t('bitAt', { list: amount(c.list), index: amount(c.index) })}</dd>
            <dt>{t('commitment')}</dt><dd><span className="mono">{sum}</span> <Copy text={sum} /></dd>
          </dl>
          <h2 style={{ marginTop: 16 }}>{t('isItCredential')}</h2>
          <p>{t('credentialHow')} <a href={`/v/${c.id}?lang=${i18n.language.slice(0, 2)}`}>{t('public')}</a></p>
          <Command text="mulian credential verify FILE" />
        </>
      }
    />
  )
}
