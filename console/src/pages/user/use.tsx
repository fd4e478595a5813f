// Accounting for a use (order 809, art. 29): which case, how many records, to what effect. The
// purpose is the agreed one.
import { Input, InputNumber, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Agreement } from '@/gen/mulian/share/v1/share_pb'
import { useSign } from '@/parts/sign'

export function RecordUse({ agreement: a, close }: { agreement: Agreement; close: () => void }) {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const sign = useSign()
  const [matterCase, setCase] = useState('')
  const [rows, setRows] = useState<number | null>(1)
  const [effect, setEffect] = useState('')
  const go = async () => {
    close()
    await sign({ title: t('recordUse'), acts: [{ case: 'recordUse', value: { agreement: a.id, purpose: a.terms!.purpose, matterCase: matterCase.trim(), rows: BigInt(rows ?? 0), effect: effect.trim() } }] })
  }
  return (
    <Modal open title={t('recordUse')} onCancel={close} okText={t('next')} cancelText={shell('cancel')} onOk={() => void go()} okButtonProps={{ disabled: !rows }}>
      <div className="sheet">
        <p className="second">{t('field.purpose')}：{a.terms!.purpose}</p>
        <div className="field"><label htmlFor="u-case">{t('case')}</label><Input id="u-case" value={matterCase} onChange={(e) => setCase(e.target.value)} maxLength={100} placeholder={t('hint.case')} /></div>
        <div className="field"><label htmlFor="u-rows">{t('rows')}</label><InputNumber id="u-rows" min={1} max={1_000_000_000} value={rows} onChange={setRows} style={{ width: '100%' }} /></div>
        <div className="field"><label htmlFor="u-effect">{t('effect')}</label><Input.TextArea id="u-effect" value={effect} onChange={(e) => setEffect(e.target.value)} maxLength={1000} rows={2} /></div>
      </div>
    </Modal>
  )
}
