// Seen: what an officer says who has compared a person with the papers, and the file that is kept of
// it. The file stays with the authority; its salt is saved here before anything is signed.
import { UploadOutlined } from '@ant-design/icons'
import { Button } from 'antd'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { FaceResult } from '@/gen/mulian/recovery/v1/recovery_pb'
import { type Bytes, hex, random } from '@/chain/bytes'
import { amount } from '@/chain/words'
import { MAX_FILE } from './desk'
import { evidence } from './rights'

/** Compared is what was seen: how the face was, and the commitment to the file. */
export interface Compared { face: FaceResult; evidence: Bytes }

const FACES = [FaceResult.MATCHED, FaceResult.NOT_TAKEN, FaceResult.MISMATCHED] as const

export function Seen({ about, label, sign }: { about: string; label: string; sign: (c: Compared) => void }) {
  const { t } = useTranslation('recovery')
  const [face, setFace] = useState<FaceResult>()
  const [number, setNumber] = useState(false)
  const [file, setFile] = useState<File>()
  const [why, setWhy] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const go = async (): Promise<void> => {
    setWhy('')
    try {
      const salt = random(32)
      const sum = await evidence(salt, new Uint8Array(await file!.arrayBuffer()))
      keep(`evidence-${hex(sum).slice(0, 8)}.json`, { about, file: file!.name, bytes: file!.size, salt: hex(salt), commitment: hex(sum) })
      sign({ face: face!, evidence: sum })
    } catch (err) { setWhy(String(err)) }
  }
  const choose = (f?: File): void => {
    const ok = f && f.size > 0 && f.size <= MAX_FILE
    setFile(ok ? f : undefined)
    setWhy(f && !ok ? t('fileSize', { n: amount(MAX_FILE >> 20) }) : '')
  }
  const mismatched = face === FaceResult.MISMATCHED
  return (
    <div className="sheet">
      <label><input id="r-number" type="checkbox" checked={number} onChange={(e) => setNumber(e.target.checked)} /> {t('sameNumber')}</label>
      <fieldset style={{ border: 0, padding: 0, margin: 0 }}><legend>{t('face')}</legend>
        {FACES.map((f) => <label key={f} style={{ display: 'block' }}><input id={`r-face-${f}`} type="radio" name="r-face" checked={face === f} onChange={() => setFace(f)} /> {t(`faces.${FaceResult[f]}`)}</label>)}
      </fieldset>
      {mismatched && <p className="note red" role="alert">{t('mismatched')}</p>}
      <div role="group" aria-labelledby="r-papers"><span id="r-papers">{t('file')}</span>
        <p style={{ display: 'flex', gap: 8, alignItems: 'center' }}><Button icon={<UploadOutlined />} onClick={() => input.current?.click()}>{t('chooseFile')}</Button>{file && <span role="status">{t('chosen', { name: file.name })}</span>}</p>
        <input ref={input} id="r-file" type="file" hidden onChange={(e) => { choose(e.target.files?.[0]); e.target.value = '' }} />
      </div>
      <p className="second">{t('fileWhy')}</p>
      {why && <p className="note red" role="alert">{why}</p>}
      <Button type="primary" data-testid="vouch" disabled={!number || !file || face === undefined || mismatched} onClick={() => void go()}>{label}</Button>
    </div>
  )
}

/** keep gives what opens a commitment to the browser as a file. */
function keep(name: string, what: object): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(new Blob([`${JSON.stringify(what, null, 2)}\n`], { type: 'application/json' }))
  a.download = name
  a.click()
  URL.revokeObjectURL(a.href)
}
