// The editor of one entry: the form left, what would change against the chain right. Nothing
// is written but by the sheet; what is typed is kept in this browser until then.
import { clone, create, fromJsonString, toJsonString } from '@bufbuild/protobuf'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  type Entry, EntrySchema, EntryState, Format, Grade, OpenType, Personal, Processing, ShareType, UpdateCycle,
} from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { account, entry as entryKey, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { useAddress } from '@/parts/table'
import { useWho } from '@/shell/who'
import { Changes, changesOf } from './changes'
import { Form } from './form'
import { getEntry } from './reads'

/** blank is a new entry before anything was said of it. */
export const blank = (org: string): Entry => create(EntrySchema, {
  id: `${org}:`, provider: org, format: Format.TABLE, shareType: ShareType.UNCONDITIONAL, openType: OpenType.DENIED, updateCycle: UpdateCycle.DAILY, grade: Grade.GENERAL_1,
  personal: Personal.NONE, processing: Processing.RAW,
})

/** tidy takes out what a share type does not have, so that nobody signs what he did not see. */
function tidy(e: Entry): Entry {
  const out = clone(EntrySchema, e)
  if (out.shareType !== ShareType.CONDITIONAL) out.conditions = undefined
  if (out.shareType !== ShareType.DENIED) out.denyBasis = undefined
  return out
}

export default function Edit() {
  const { t } = useTranslation('catalogue')
  const { signer } = useWho()
  const { id } = useParams({ strict: false }) as { id?: string }
  const [address] = useAddress({ duty: '' })
  const read = useQuery({ ...getEntry(id ?? ''), enabled: !!id })
  if (!signer?.org) return <><h1>{t('edit.new')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{t('signIn')}</Link>} /></div></>
  if (!id) return <Editor key="new" org={signer.org} first={create(EntrySchema, { ...blank(signer.org), duties: address.duty ? [address.duty] : [] })} draft="new" />
  return (
    <Loaded query={read}>
      {({ entry: e, pending }) => (e!.provider !== signer.org
        ? <><h1>{e!.name}</h1><div className="card"><Empty text={t('edit.foreign')} action={<Link to={pathOf(entryKey(id))}>{t('edit.back')}</Link>} /></div></>
        : <Editor key={id} org={signer.org} was={e!} first={e!} waits={!!pending} draft={id} />)}
    </Loaded>
  )
}

function kept(key: string): Entry | undefined {
  try {
    const text = localStorage.getItem(key)
    return text ? fromJsonString(EntrySchema, text) : undefined
  } catch {
    return undefined // of an older version of these pages
  }
}

function Editor({ org, was, first, waits, draft }: { org: string; was?: Entry; first: Entry; waits?: boolean; draft: string }) {
  const { t } = useTranslation('catalogue')
  const sign = useSign()
  const navigate = useNavigate()
  const key = `mulian.draft.item.${draft}`
  const [typed, setTyped] = useState<Entry | undefined>(() => kept(key))
  const next = tidy(typed ?? first)
  const name = useNames((was?.lock?.counterSigners ?? []).map(account))
  const write = (e: Entry) => { setTyped(e); localStorage.setItem(key, toJsonString(EntrySchema, e)) }
  const drop = () => { setTyped(undefined); localStorage.removeItem(key) }
  const changes = changesOf(was, next)
  const lacks = [!next.name.trim() && t('f.name'), next.duties.length === 0 && t('f.duties'), next.id === `${org}:` && t('f.id')].filter(Boolean)
  const go = async () => {
    const done = await sign({ title: t('edit.sign'), acts: [{ case: 'submitEntries', value: { entries: [next] } }] })
    if (!done) return
    drop()
    void navigate({ to: pathOf(entryKey(next.id)) })
  }
  return (
    <>
      <div className="titles">
        <h1>{was ? t('edit.title', { name: was.name }) : t('edit.new')}</h1>
        <span className="end">{typed && <Button onClick={drop}>{t('edit.drop')}</Button>}<Button type="primary" disabled={lacks.length > 0 || changes.length === 0} onClick={() => void go()} data-testid="submit">{t('edit.sign')}</Button></span>
      </div>
      {was?.lock && <p className="note amber">{t('edit.locked', { who: was.lock.counterSigners.map((o) => name(account(o))).join('、') })}</p>}
      {waits && <p className="note amber">{t('edit.waits')}</p>}
      {was?.state === EntryState.DRIFTED && <p className="note red">{t('edit.drifted')}</p>}
      <div className="halves">
        <section className="card" aria-label={t('edit.form')}><header><h2>{t('edit.form')}</h2></header><div className="body"><Form org={org} entry={next} change={write} fresh={!was} /></div></section>
        <section className="card" aria-label={t('edit.diff')}>
          <header><h2>{t('edit.diff')}</h2><span className="second">{was ? t('edit.against', { v: String(was.version) }) : t('edit.nothing')}</span><span className="end second" role="status">{t('edit.count', { n: changes.length })}</span></header>
          <div className="body">{lacks.length > 0 && <p className="note amber">{t('edit.lacks', { what: lacks.join('、') })}</p>}<Changes was={was} next={next} same={t('edit.same')} /></div>
        </section>
      </div>
    </>
  )
}
