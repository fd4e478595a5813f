// /dev/sandbox: what a developer can try here without anybody else: be the citizen who is
// asked, take another seat, hold the own code against official test vectors.
import { Link } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { Command } from '@/parts/command'
import { useWho } from '@/shell/who'

export default function Sandbox() {
  const { t } = useTranslation('dev')
  const { here } = useWho()
  return (
    <>
      <div className="titles"><h1>{t('sandbox')}</h1></div>
      {!here.demo && <p className="note">{t('noSandbox')}</p>}
      <div className="seats">
        {here.demo && <section className="card seat" aria-label={t('citizen')}><h2>{t('citizen')}</h2><p className="second">{t('citizenText')}</p><p className="actions"><Button type="primary" href="/box" target="_blank" data-testid="citizen">{t('citizenGo')}</Button></p></section>}
        {here.demo && <section className="card seat" aria-label={t('others')}><h2>{t('others')}</h2><p className="second">{t('othersText')}</p><p><Link to="/seats">{t('othersGo')}</Link></p></section>}
        <section className="card seat" aria-label={t('own')}><h2>{t('own')}</h2><p className="second">{t('ownText')}</p><Command text="mulian demo --home ./demo" /></section>
        <section className="card seat" aria-label={t('vectors')}><h2>{t('vectors')}</h2><p className="second">{t('vectorsText')}</p><ul className="line">{vectors.map(([path, key]) => <li key={path}><code>{path}</code><small>{t(`vector.${key}`)}</small></li>)}</ul></section>
      </div>
    </>
  )
}

const vectors = [['docs/spec/testdata/proof/index.json', 'proof'], ['docs/spec/testdata/passkey/index.json', 'passkey']] as const
