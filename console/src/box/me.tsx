// Me: keys of this account, elder version, language.
import { useState } from 'react'
import { askIn } from './api'
import { speakBox, useWords } from '../words-box'
import { To, useBox } from './box'

export function Speech() {
  const { t, language } = useWords()
  const [elder, setElder] = useState(document.documentElement.dataset.elder === 'on')
  const big = () => {
    const on = elder ? '' : 'on'
    document.documentElement.dataset.elder = on
    localStorage.setItem('mulian.elder', on)
    setElder(!elder)
  }
  return (
    <div className="speech">
      <button type="button" className="button" aria-pressed={elder} onClick={big}>{t('me.elder')}</button>
      <button type="button" className="button" onClick={() => void speakBox(language === 'zh-CN' ? 'en-US' : 'zh-CN').then(askIn)}>{t('me.language')}</button>
    </div>
  )
}

export function Me() {
  const { t } = useWords()
  const { signer, at } = useBox()
  return (
    <main className="page">
      <To to="/box" className="back">‹ {t('home.back')}</To>
      <h1>{t('me.title')}</h1>
      <section className="card"><h2>{t('me.account')}</h2><p><code>{signer.account}</code></p><p className="second">{t('me.random')}</p></section>
      <section className="card"><h2>{t('me.keys')}</h2>
        <div className="item"><span>{t(`me.${signer.method}`)}</span><code>{signer.keyId}</code></div>
        {signer.device && <div className="item"><span>{t('me.device')}</span><code>{signer.device.keyId}</code></div>}
      </section>
      <Speech />
      <p className="second">{at.chainId} · {at.build}</p>
    </main>
  )
}
