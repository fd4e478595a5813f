// Asking a person or firm for what a registered use allows. The number of contract or case
// goes to the ledger as a salted commitment; what opens it stays here, for the file.
import { useQuery } from '@tanstack/react-query'
import { Checkbox, Input, InputNumber, Modal, Select } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import type { IntendedUse } from '@/gen/mulian/grant/v1/grant_pb'
import { hex, random } from '@/chain/bytes'
import { now } from '@/chain/live'
import { rpc } from '@/chain/rpc'
import { useSign } from '@/parts/sign'
import { commit, newMatch, type Opening } from './owners'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const OWNER = /^[pf]-[0-9a-f]{32}$/

export const openingKey = (request: string): string => `mulian.opening.${request}`

export function AskOwner({ org, uses, close }: { org: string; uses: IntendedUse[]; close: (id?: string) => void }) {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const sign = useSign()
  const gateways = useQuery({ queryKey: ['identity/account/', 'gateways', org], queryFn: () => rpc(IdentityService).listAccounts({ kind: AccountKind.GATEWAY, org, limit: 50 }) })
  const [id, setId] = useState(uses[0]?.id ?? '')
  const [owner, setOwner] = useState('')
  const [business, setBusiness] = useState('')
  const [minutes, setMinutes] = useState<number | null>(10)
  const [numbered, setNumbered] = useState(false)
  const use = uses.find((u) => u.id === id)
  const gateway = gateways.data?.accounts[0]
  const wrong = owner.trim() !== '' && !OWNER.test(owner.trim())
  const go = async () => {
    if (!use || !gateway) return
    const { sum, salt } = await commit(business.trim())
    const match = numbered ? await newMatch() : undefined
    const at = now()
    const done = await sign({
      title: t('ask'),
      acts: [{ case: 'requestData', value: { request: {
        use: use.id, owner: owner.trim(), items: use.items, optionalItems: use.optionalItems, maxUses: use.maxUses, minIntervalSeconds: use.minIntervalSeconds, dataLifeDays: use.dataLifeDays,
        toMs: BigInt(at + use.maxDays * DAY_MS - MINUTE_MS), notAfterMs: BigInt(at + (minutes ?? 10) * MINUTE_MS), noticeHash: use.noticeHash, businessReference: sum, nonce: random(16), ...(match && { matchCommitment: match.sum }),
        gateway: gateway.id, recipientKey: gateway.gateway?.sealingKey?.id ?? '',
      } } }],
    })
    const made = done?.ids[0]
    const opening: Opening = { business: business.trim(), business_salt: hex(salt), ...(match && { match_number: match.number, match_salt: hex(match.salt) }) }
    if (made) localStorage.setItem(openingKey(made), JSON.stringify(opening))
    if (done) close(made)
  }
  return (
    <Modal open title={t('ask')} onCancel={() => close()} okText={t('next')} cancelText={shell('cancel')} onOk={() => void go()} okButtonProps={{ disabled: !use || !gateway || wrong || business.trim() === '' || !minutes }}>
      <div className="sheet">
        <div className="field"><label htmlFor="a-use">{t('useOf')}</label><Select id="a-use" value={id} onChange={setId} options={uses.map((u) => ({ value: u.id, label: u.title }))} aria-label={t('useOf')} /></div>
        <div className="field"><label htmlFor="a-business">{t('business')}</label><Input id="a-business" value={business} onChange={(e) => setBusiness(e.target.value)} maxLength={200} placeholder={t('hint.business')} /><small className="second">{t('businessText')}</small></div>
        <div className="field"><label htmlFor="a-owner">{t('ownerMay')}</label><Input id="a-owner" className="mono" status={wrong ? 'error' : undefined} value={owner} onChange={(e) => setOwner(e.target.value)} maxLength={34} placeholder="p-…" />{wrong && <small className="pill red square">{t('wrongOwner')}</small>}</div>
        <div className="field"><label htmlFor="a-minutes">{t('minutes')}</label><InputNumber id="a-minutes" min={1} max={owner ? 1440 : 14} value={minutes} onChange={setMinutes} style={{ width: '100%' }} /></div>
        <div className="field"><Checkbox id="a-number" checked={numbered} onChange={(e) => setNumbered(e.target.checked)}>{t('numbered')}</Checkbox><small className="second">{t('numberedText')}</small></div>
        {gateways.data && !gateway && <p className="note amber">{t('noGateway')} <code>mulian gateway init main --name NAME --as {org}</code></p>}
      </div>
    </Modal>
  )
}
