// The page of an anchored file: that it was there, by whom and when, and how it came to be. Whether
// a file is this one, /verify says in the browser of whoever has the file and its opening.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Capture, type Evidence, EvidenceSchema } from '@/gen/mulian/evidence/v1/evidence_pb'
import { hex } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, exact } from '@/chain/words'
import { Command } from '@/parts/command'
import { Copy } from '@/parts/copy'
import { ObjectPage } from '@/parts/object'
import { Loaded } from '@/parts/states'
import { readObject } from '../catalogue/reads'

export default function EvidencePage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <Loaded query={useQuery(readObject(EvidenceSchema, `evidence/item/${id}`))}>{(e) => <Page e={e} />}</Loaded>
}

function Page({ e }: { e: Evidence }) {
  const { t, i18n } = useTranslation('records')
  const p = e.provenance
  const gateway = p?.gateway ? [account(p.gateway)] : []
  const name = useNames([account(e.account), ...gateway])
  const delivery = p?.capture === Capture.DELIVERY && /^[0-9a-f]{16}\/\d+$/.test(p.source) ? [`share/delivery/${p.source}`] : []
  const older = e.supersedes ? [`evidence/item/${e.supersedes}`] : []
  const sum = hex(e.commitment)
  return (
    <ObjectPage
      object={`evidence/item/${e.id}`} number={e.id} title={t('one')} schema={EvidenceSchema} value={e} relations={[account(e.account), ...gateway, ...delivery, ...older]}
      overview={
        <>
          <p style={{ marginBottom: 12 }}>{t('sentence', { who: name(account(e.account)), at: exact(e.atMs), n: amount(e.bytes) })}</p>
          <dl className="facts">
            <dt>{t('who')}</dt><dd><Link to={pathOf(account(e.account))}>{name(account(e.account))}</Link> · <Link to={`/evidence?account=${encodeURIComponent(e.account)}`}>{t('allOf')}</Link></dd>
            <dt>{t('at')}</dt><dd>{exact(e.atMs)} · <Link to={`/block/${e.height}`}>{t('height')} {amount(e.height)}</Link></dd>
            <dt>{t('bytes')}</dt><dd>{amount(e.bytes)}</dd>
            <dt>{t('commitment')}</dt><dd><span className="mono">{sum}</span> <Copy text={sum} /></dd>
            {e.supersedes && <><dt>{t('supersedes')}</dt><dd><Link to={pathOf(older[0]!)}><code>{e.supersedes}</code></Link></dd></>}
          </dl>
          {p && <>
            <h2 style={{ marginTop: 16 }}>{t('before')}</h2>
            <dl className="facts">
              <dt>{t('capture')}</dt><dd>{t(`captures.${Capture[p.capture]}`)}</dd>
              {p.gateway && <><dt>{t('gateway')}</dt><dd>{name(account(p.gateway))}</dd></>}
              {p.source && <><dt>{t('source')}</dt><dd>{delivery[0] ? <Link to={pathOf(delivery[0])}>{p.source}</Link> : p.source}</dd></>}
              <dt>{t('captured')}</dt><dd>{exact(p.capturedMs)} · {p.clockSource === 'unknown' ? t('clockUnknown') : t('clock', { source: p.clockSource, offset: String(p.clockOffsetMs), error: p.clockErrorMs > 0n ? String(p.clockErrorMs) : '?' })}</dd>
              <dt>{t('software')}</dt><dd>{p.software}{p.softwareHash.length > 0 && <> · <span className="mono">{hex(p.softwareHash).slice(0, 16)}…</span> <Copy text={hex(p.softwareHash)} /></>}</dd>
            </dl>
          </>}
          <h2 style={{ marginTop: 16 }}>{t('isIt')}</h2>
          <p>{t('isItHow')} <Link to="/verify">{t('toVerify')}</Link> · <a href={`/v/${e.id}?lang=${i18n.language.slice(0, 2)}`}>{t('public')}</a></p>
          <Command text="mulian evidence verify FILE.evidence" />
        </>
      }
    />
  )
}
