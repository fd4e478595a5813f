// /dev/keys: the keys of the own post. A machine key signs for a program what needs no person,
// as the record of a use; it is made in this browser, shown once, and put on the ledger by
// the organisation (AddKey).
import { fromBinary } from '@bufbuild/protobuf'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Input, Modal } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { AccountSchema, type Key, KeyAlgorithm, KeyLevel, KeyState } from '@/gen/mulian/identity/v1/identity_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { hex } from '@/chain/bytes'
import { keyIdOf } from '@/chain/keys'
import { caughtUp } from '@/chain/live'
import { rpc } from '@/chain/rpc'
import { date, exact } from '@/chain/words'
import { Command } from '@/parts/command'
import { State } from '@/parts/object'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { tell } from '@/parts/toasts'
import { useWho } from '@/shell/who'

interface Made { id: string; point: Uint8Array<ArrayBuffer>; pem: string }

/** makeMachineKey makes a P-256 key that can be taken out, once. */
async function makeMachineKey(): Promise<Made> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const secret = btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey))))
  return { id: await keyIdOf(KeyAlgorithm.P256, point), point, pem: `-----BEGIN PRIVATE KEY-----\n${secret.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n` }
}

const stateOf = (k: Key): 'active' | 'revoked' | 'ended' => (k.state !== KeyState.ACTIVE ? 'revoked' : k.endsMs && Number(k.endsMs) <= Date.now() ? 'ended' : 'active')

export default function Keys() {
  const { t } = useTranslation('dev')
  const { t: shell } = useTranslation('shell')
  const { signer, here } = useWho()
  const [open, setOpen] = useState(false)
  const [chosen, setChosen] = useState<Key>()
  const account = signer?.account ?? ''
  const query = useQuery({
    queryKey: [`identity/account/${account}`, 'keys'], enabled: account !== '',
    queryFn: async () => {
      const o = await rpc(LedgerService).getObject({ key: `identity/account/${account}` })
      return o.found ? fromBinary(AccountSchema, o.value).keys.toReversed() : []
    },
  })
  const columns: Column<Key>[] = [
    { id: 'label', title: t('key'), card: 'title', show: (k) => <span className="two">{k.label || '—'}<small className="mono">{k.id}</small></span> },
    { id: 'level', title: t('level'), show: (k) => t(`keyLevel.${KeyLevel[k.level]}`) },
    { id: 'algorithm', title: t('algorithm'), show: (k) => KeyAlgorithm[k.algorithm] },
    { id: 'state', title: t('state'), card: 'end', show: (k) => { const s = stateOf(k); return <State words={t(`keyState.${s}`)} tone={s === 'active' ? 'green' : 'grey'} /> } },
    { id: 'added', title: t('added'), show: (k) => date(k.addedMs) },
    { id: 'ends', title: t('ends'), show: (k) => (k.revokedMs ? date(k.revokedMs) : k.endsMs ? date(k.endsMs) : t('noEnd')) },
  ]
  if (!signer?.org) return <><h1>{t('keys')}</h1><div className="card"><Empty text={t('nobody')} action={<Link to="/seats">{shell('signIn')}</Link>} /></div></>
  return (
    <>
      <div className="titles"><h1>{t('keys')}</h1><span className="end">{here.demo && <Button type="primary" onClick={() => setOpen(true)} data-testid="make">{t('make')}</Button>}</span></div>
      <p className="second">{t('keysText')}</p>
      {!here.demo && <p className="note">{t('rootOnly')}</p>}
      <section className="card" aria-label={t('keysOf', { account })}>
        <header><h2>{t('keysOf', { account })}</h2></header>
        <Loaded query={query}>{(rows) => <DataTable whole caption={t('keys')} columns={columns} rows={rows} rowId={(k) => k.id} onOpen={setChosen} empty={<Empty text={t('noKeys')} />} />}</Loaded>
      </section>
      {open && <Make account={account} close={() => setOpen(false)} />}
      {chosen && <OneKey account={account} of={chosen} close={() => setChosen(undefined)} />}
    </>
  )
}

function Make({ account, close }: { account: string; close: () => void }) {
  const { t } = useTranslation('dev')
  const { t: shell } = useTranslation('shell')
  const client = useQueryClient()
  const [label, setLabel] = useState('')
  const [made, setMade] = useState<Made>()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const go = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const key = await makeMachineKey()
      const res = await rpc(ConsoleService).putMachineKey({ account, key: { id: key.id, algorithm: KeyAlgorithm.P256, publicKey: key.point, label: label.trim() } })
      await caughtUp(client)
      tell({ text: t('keyOnChain', { height: String(res.height) }) })
      setMade(key)
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  const file = `${account.replaceAll('/', '~')}.machine.key`
  return (
    <Modal
      open title={t('make')} onCancel={close} mask={{ closable: !made }} width={640}
      footer={made ? <Button type="primary" onClick={close}>{t('kept')}</Button> : <><Button onClick={close}>{shell('cancel')}</Button><Button type="primary" loading={busy} disabled={label.trim() === ''} onClick={() => void go()} data-testid="make-go">{t('makeGo')}</Button></>}
    >
      {made ? (
        <div className="sheet">
          <p className="note amber"><strong>{t('once')}</strong> {t('onceText')}</p>
          <Command text={made.pem} />
          <p><a download={file} href={`data:application/x-pem-file;base64,${btoa(made.pem)}`}>{t('download')} {file}</a></p>
          <p>{t('useIt')}</p>
          <Command text={`install -m 600 -D ${file} .mulian/keys/${file}\nmulian share use AGREEMENT --rows 1 --case CASE --as ${account}#machine`} />
        </div>
      ) : (
        <div className="sheet">
          <p className="note">{t('sentence', { account, label: label.trim() || '…' })}</p>
          <div className="field"><label htmlFor="k-label">{t('label')}</label><Input id="k-label" value={label} onChange={(e) => setLabel(e.target.value)} maxLength={64} placeholder={t('labelHint')} /></div>
          {error !== undefined && <Trouble error={error} />}
        </div>
      )}
    </Modal>
  )
}

function OneKey({ account, of, close }: { account: string; of: Key; close: () => void }) {
  const { t } = useTranslation('dev')
  const { t: shell } = useTranslation('shell')
  const { here, signer } = useWho()
  const client = useQueryClient()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const may = here.demo && of.id !== signer?.device?.keyId && // that of this browser reads for its person
    of.level === KeyLevel.MACHINE && stateOf(of) === 'active'
  const go = async () => {
    setBusy(true)
    try {
      const res = await rpc(ConsoleService).putMachineKey({ account, key: { id: of.id }, revoke: true })
      await caughtUp(client)
      tell({ text: t('keyRevoked', { height: String(res.height) }) })
      close()
    } catch (err) {
      setError(err)
      setBusy(false)
    }
  }
  return (
    <Modal open title={of.label || of.id} onCancel={close} footer={<><Button onClick={close}>{shell('close')}</Button>{may && <Button danger type="primary" loading={busy} onClick={() => void go()} data-testid="revoke">{t('revoke')}</Button>}</>}>
      <dl className="facts">
        <dt>{t('key')}</dt><dd><code>{of.id}</code></dd>
        <dt>{t('public')}</dt><dd><code>{hex(of.publicKey)}</code></dd>
        <dt>{t('added')}</dt><dd>{exact(of.addedMs)}</dd>
        <dt>{t('ends')}</dt><dd>{of.revokedMs ? exact(of.revokedMs) : of.endsMs ? exact(of.endsMs) : t('noEnd')}</dd>
      </dl>
      {may && <p className="note amber">{t('revokeText')}</p>}
      {error !== undefined && <Trouble error={error} />}
    </Modal>
  )
}
