// More: what may be done with an object besides the one primary action of its page. Each deed
// says of what it is and what follows, asks for the words that the ledger wants, and goes
// through the SignSheet. Nothing stands in the menu that the rules would refuse for who
// looks or for the object's state.
import { MoreOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Button, Dropdown, Input, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import type { Act } from '@/chain/tx'
import { useSign } from '@/parts/sign'
import { useWho } from '@/shell/who'
import { getConsortium } from '../catalogue/reads'

/** Field is one thing that a deed asks for; most is the bound of the rules. */
export interface Field { name: string; label: string; kind?: 'words' | 'line' | 'number' | 'day'; most?: number; optional?: boolean }

/** Deed is one act in the menu. */
export interface Deed {
  id: string
  label: string
  text: string // of what, and what follows
  danger?: boolean // cannot be undone
  fields?: Field[]
  act: (v: Record<string, string>) => Act
}

/** useAuthority tells whether the signer, or its organisation, holds the role AUTHORITY. */
export function useAuthority(): boolean {
  const { signer } = useWho()
  const q = useQuery({ ...getConsortium(), enabled: !!signer?.org })
  return !!signer?.org && (q.data?.roles ?? []).some((r) => r.role === Role.AUTHORITY && (r.account === signer.org || r.account === signer.account))
}

/** More is the menu; first is the page's one primary action, if it is a deed, too. */
export function More({ deeds, first }: { deeds: Deed[]; first?: Deed }) {
  const { t } = useTranslation('deeds')
  const sign = useSign()
  const [asking, setAsking] = useState<Deed>()
  if (deeds.length === 0 && !first) return null
  const go = (d: Deed, v: Record<string, string>) => void sign({ title: d.label, danger: d.danger, acts: [d.act(v)], beside: <p className="second">{d.text}</p> })
  const pick = (d: Deed) => (d.fields?.length ? setAsking(d) : go(d, {}))
  return (
    <>
      {first && <Button type="primary" data-testid="first" onClick={() => pick(first)}>{first.label}</Button>}
      {deeds.length > 0 && <Dropdown
        trigger={['click']} placement="bottomRight" getPopupContainer={(n) => n.parentElement!}
        menu={{ items: deeds.map((d) => ({ key: d.id, label: d.label, danger: d.danger })), onClick: ({ key }) => pick(deeds.find((d) => d.id === key)!) }}
      >
        <Button icon={<MoreOutlined />} data-testid="more">{t('more')}</Button>
      </Dropdown>}
      {asking && <Ask deed={asking} close={() => setAsking(undefined)} go={(v) => { setAsking(undefined); go(asking, v) }} />}
    </>
  )
}

function Ask({ deed, close, go }: { deed: Deed; close: () => void; go: (v: Record<string, string>) => void }) {
  const { t } = useTranslation('deeds')
  const { t: shell } = useTranslation('shell')
  const [v, setV] = useState<Record<string, string>>({})
  const set = (name: string, value: string) => setV({ ...v, [name]: value })
  const fields = deed.fields ?? []
  const lacks = (f: Field) => !f.optional && !(v[f.name] ?? '').trim() || f.kind === 'number' && !!v[f.name] && !(Number(v[f.name]) >= 1 && Number(v[f.name]) <= (f.most ?? Infinity))
  return (
    <Modal open title={deed.label} onCancel={close} okText={t('next')} cancelText={shell('cancel')} okButtonProps={{ disabled: fields.some(lacks), danger: deed.danger }}
      onOk={() => go(Object.fromEntries(Object.entries(v).map(([k, x]) => [k, x.trim()])))}>
      <div className="sheet" style={{ paddingBottom: 24 }}>
        <p>{deed.text}</p>
        {fields.map((f) => (
          <label key={f.name} className="field">{f.optional ? t('optional', { what: f.label }) : f.label}
            {f.kind === 'number' ? <Input id={`d-${f.name}`} type="number" min={1} max={f.most} value={v[f.name] ?? ''} onChange={(e) => set(f.name, e.target.value)} />
              : f.kind === 'day' ? <Input id={`d-${f.name}`} type="date" value={v[f.name] ?? ''} onChange={(e) => set(f.name, e.target.value)} />
                : f.kind === 'line' ? <Input id={`d-${f.name}`} maxLength={f.most} value={v[f.name] ?? ''} onChange={(e) => set(f.name, e.target.value)} />
                  : <Input.TextArea id={`d-${f.name}`} rows={3} maxLength={f.most} showCount value={v[f.name] ?? ''} onChange={(e) => set(f.name, e.target.value)} />}
          </label>
        ))}
      </div>
    </Modal>
  )
}

const HOUR_MS = 3_600_000

/** endOfDay is the moment at which a day in Beijing is over. */
export const endOfDay = (day: string): bigint => (day ? BigInt(Date.parse(`${day}T00:00:00Z`) + 16 * HOUR_MS) : 0n)
