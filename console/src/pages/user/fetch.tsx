// How data is taken under an agreement. It goes from gateway to gateway, sealed to the asker's;
// a browser has no key for it and is no receiver. So the page gives the exact command, once for
// each entry, and what is fetched appears in the list of deliveries.
import { Button, Modal } from 'antd'
import { useTranslation } from 'react-i18next'
import { Method } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { Agreement } from '@/gen/mulian/share/v1/share_pb'
import { entry, useNames } from '@/chain/names'
import { Command } from '@/parts/command'

export function Fetch({ agreement: a, close }: { agreement: Agreement; close: () => void }) {
  const { t } = useTranslation('user')
  const { t: shell } = useTranslation('shell')
  const terms = a.terms!
  const name = useNames(terms.parts.map((p) => entry(p.entry)))
  return (
    <Modal open title={t('fetch')} onCancel={close} footer={<Button onClick={close}>{shell('close')}</Button>} width={640}>
      <div className="sheet">
        <p>{t(terms.method === Method.QUERY ? 'fetchQuery' : 'fetchBatch')}</p>
        {terms.parts.map((p) => (
          <div key={p.entry} className="field">
            <strong>{name(entry(p.entry))}</strong>
            <Command text={terms.method === Method.QUERY
              ? `mulian share query ${a.id} ${p.entry} --where ${p.items[0]}=VALUE --gateway ${a.consumerGateway}`
              : `mulian share fetch ${a.id} ${p.entry} --gateway ${a.consumerGateway}`} />
          </div>
        ))}
        <p className="second">{t(terms.method === Method.QUERY ? 'fetchWhyQuery' : 'fetchWhy')}</p>
      </div>
    </Modal>
  )
}
