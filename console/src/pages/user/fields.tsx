// The fields of a request, each with its label, where its first value is from, and what is
// wrong with it once somebody has tried to file it.
import { Button, Checkbox, Input, InputNumber, Select } from 'antd'
import type { ReactNode } from 'react'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Method, Personal, ShareType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { account, useNames } from '@/chain/names'
import { consortium } from './checks'
import { bar, type Form, type Known, lawOf, needed, type Sources } from './prefill'

export interface FieldsProps {
  known: Known
  form: Form
  from: Sources
  typed: Partial<Form>
  change: (c: Partial<Form>) => void
  missing: (keyof Form)[]
}

export function Fields(p: FieldsProps) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const { known: { entry, duties, matters, gateways }, form, change } = p
  const name = useNames(gateways.map(account))
  const agreed = useQuery(consortium)
  const purposes = entry.conditions?.purposes ?? []
  const methods = entry.methods.filter((m) => m !== Method.UNSPECIFIED)
  const field = (f: keyof Form, control: ReactNode) => <OneField {...p} of={f}>{control}</OneField>
  const bad = (f: keyof Form) => (p.missing.includes(f) ? 'error' as const : undefined)
  const pickDuty = (id: string) => {
    const d = duties.find((x) => x.id === id)
    change({ duty: id, basis: lawOf(d) || form.basis })
  }
  const pickMatter = (name: string) => {
    const m = matters.find((x) => x.name === name)
    change(m ? { matter: name, items: needed(entry, m), ...(m.duties[0] && { duty: m.duties[0], basis: lawOf(duties.find((d) => d.id === m.duties[0])) || form.basis }) } : { matter: name })
  }
  return (
    <div className="sheet">
      {entry.conditions?.scope && <p className="note">{t('scopeOf')} {entry.conditions.scope}</p>}
      {field('purpose', purposes.length > 0
        ? <Select id="f-purpose" status={bad('purpose')} value={form.purpose || undefined} onChange={(v) => change({ purpose: v })} options={purposes.map((x) => ({ value: x, label: x }))} aria-label={t('field.purpose')} placeholder={t('hint.purposes')} />
        : <Input id="f-purpose" status={bad('purpose')} value={form.purpose} onChange={(e) => change({ purpose: e.target.value })} maxLength={500} placeholder={t('hint.purpose')} autoFocus />)}
      {field('duty', <Select id="f-duty" status={bad('duty')} showSearch={{ optionFilterProp: 'label' }} value={form.duty || undefined} onChange={pickDuty} options={duties.map((d) => ({ value: d.id, label: d.title }))} aria-label={t('field.duty')} placeholder={t('hint.duty')} />)}
      {field('matter', matters.length > 0
        ? <Select id="f-matter" showSearch={{ optionFilterProp: 'label' }} value={form.matter || undefined} onChange={(v) => pickMatter(v ?? '')} options={[{ value: '', label: '—' }, ...matters.map((m) => ({ value: m.name, label: m.name }))]} aria-label={t('field.matter')} placeholder={t('hint.matter')} />
        : <Input id="f-matter" value={form.matter} onChange={(e) => change({ matter: e.target.value })} maxLength={200} placeholder={t('hint.matter')} />)}
      {field('basis', <Input.TextArea id="f-basis" value={form.basis} onChange={(e) => change({ basis: e.target.value })} maxLength={1000} rows={2} />)}
      <Items {...p} />
      {field('method', <Select id="f-method" value={form.method} onChange={(v) => change({ method: v })} options={(methods.length > 0 ? methods : [form.method]).map((m) => ({ value: m, label: inbox(`method.${Method[m]}`) }))} aria-label={t('field.method')} />)}
      {field('gateway', gateways.length > 0
        ? <Select id="f-gateway" status={bad('gateway')} value={form.gateway || undefined} onChange={(v) => change({ gateway: v })} options={gateways.map((g) => ({ value: g, label: `${name(account(g))} ${g.split('/').slice(1).join('/')}` }))} aria-label={t('field.gateway')} placeholder={t('hint.gateway')} />
        : <p className="note amber">{t('noGateway')} <code>mulian gateway init main --name NAME --as ORG</code></p>)}
      <div className="figures">
        {field('days', <InputNumber id="f-days" min={1} max={agreed.data?.parameters?.maxAgreementDays || 1826} value={form.days ?? null} onChange={(v) => change({ days: v ?? undefined })} placeholder={t('hint.days', { n: agreed.data?.parameters?.defaultAgreementDays ?? 365 })} style={{ width: '100%' }} />)}
        {field('perDay', <InputNumber id="f-perDay" min={1} max={1_000_000_000} value={form.perDay ?? null} onChange={(v) => change({ perDay: v ?? undefined })} placeholder={t('hint.unbounded')} style={{ width: '100%' }} />)}
        {field('life', <InputNumber id="f-life" min={1} max={36500} value={form.life ?? null} onChange={(v) => change({ life: v ?? undefined })} placeholder={t('hint.life')} style={{ width: '100%' }} />)}
      </div>
      {field('system', <Input id="f-system" value={form.system} onChange={(e) => change({ system: e.target.value })} maxLength={200} />)}
      {field('scope', <Input id="f-scope" value={form.scope} onChange={(e) => change({ scope: e.target.value })} maxLength={500} />)}
    </div>
  )
}

function OneField({ of, from, typed, missing, children }: FieldsProps & { of: keyof Form; children: ReactNode }) {
  const { t } = useTranslation('user')
  const source = of in typed ? undefined : from[of]
  return (
    <div className="field">
      <label htmlFor={`f-${of}`}>{t(`field.${of}`)} {source && <small className="second">{t(`from.${source.what}`, { id: source.id })}</small>}</label>
      {children}
      {missing.includes(of) && <small className="pill red square">{t('needed')}</small>}
    </div>
  )
}

function Items({ known: { entry, matters }, form, from, typed, change, missing }: FieldsProps) {
  const { t } = useTranslation('user')
  const open = entry.items.filter((it) => !bar(entry, it))
  const matter = matters.find((m) => m.name === form.matter)
  const source = 'items' in typed ? undefined : from.items
  return (
    <fieldset className="ticks" id="f-items" tabIndex={-1}>
      <legend>{t('field.items')} {source && <small className="second">{t(`from.${source.what}`, { id: source.id })}</small>}</legend>
      <p className="actions">
        <Button size="small" onClick={() => change({ items: needed(entry, matter) })}>{t('asNeeded')}</Button>
        <Button size="small" onClick={() => change({ items: open.map((it) => it.code) })}>{t('all', { n: open.length })}</Button>
        <Button size="small" onClick={() => change({ items: [] })}>{t('none')}</Button>
        {missing.includes('items') && <small className="pill red square">{t('needed')}</small>}
      </p>
      <ul>
        {entry.items.map((it) => {
          const why = bar(entry, it)
          return (
            <li key={it.code}>
              <Checkbox checked={form.items.includes(it.code)} disabled={!!why} onChange={(e) => change({ items: e.target.checked ? [...form.items, it.code] : form.items.filter((c) => c !== it.code) })}>
                {it.name || it.code} <code className="second">{it.code}</code>
                {why && <span className="pill square red">{t(`bar.${why}`)}</span>}
                {!why && (it.shareType || entry.shareType) === ShareType.CONDITIONAL && <span className="pill square grey">{t('conditional')}</span>}
                {it.personal === Personal.YES && <span className="pill square amber">{t('personal')}</span>}
                {it.personal === Personal.SENSITIVE && <span className="pill square amber">{t('sensitive')}</span>}
                {!why && it.column === '' && <span className="pill square grey">{t('unmapped')}</span>}
              </Checkbox>
            </li>
          )
        })}
      </ul>
    </fieldset>
  )
}
