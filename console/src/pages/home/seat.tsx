// One seat that somebody can have: what it is, and the button by which this browser makes the key.
import { useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Seat } from '@/gen/mulian/console/v1/query_pb'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { exact } from '@/chain/words'
import { Trouble } from '@/parts/states'
import { tell } from '@/parts/toasts'
import { useBring } from '@/shell/take'

/** OneSeat offers one seat; only: with the kind of key that was begun with. */
export function OneSeat({ seat, token, passkeys, only }: { seat: Seat; token: string; passkeys: boolean; only?: boolean }) {
  const { t } = useTranslation('home')
  const bring = useBring()
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const person = seat.kind === AccountKind.PERSON || seat.kind === AccountKind.FIRM
  if (person) {
    return (
      <>
        <h2>{t(`seat.${seat.id}.title`)}</h2>
        <p className="second">{t(`seat.${seat.id}.text`)}</p>
        <p className="actions"><Button type="primary" href="/box" data-seat={seat.id}>{t('toBox')}</Button></p>
      </>
    )
  }
  const role = seat.role || seat.id
  const root = seat.id === 'root' // a device that signs as the organisation itself
  const take = async (passkey: boolean) => {
    setBusy(true)
    setError(undefined)
    try {
      const { height, endsMs } = await bring(seat, token, passkey)
      tell({ text: endsMs > 0n ? t('takenUntil', { height: String(height), end: exact(endsMs) }) : t('taken', { height: String(height) }) })
      void navigate({ to: '/' })
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <h2>{seat.post || t(`seat.${root ? 'root' : role}.title`)}</h2>
      <p><strong>{seat.orgName}</strong></p>
      <p className="second">{t(`seat.${root ? 'root' : role}.text`)}</p>
      {root && <p className="note red">{t('rootMind', { days: seat.keyDays })}</p>}
      {root && !passkeys && <p className="note amber">{t('rootNeedsPasskey')}</p>}
      <p className="actions">
        <Button type="primary" danger={root} disabled={root && !passkeys} loading={busy} onClick={() => void take(passkeys)} data-seat={seat.id}>{root ? t('takeRoot') : passkeys ? t('takePasskey') : t('takeKey')}</Button>
        {passkeys && !only && !root && <Button type="link" disabled={busy} onClick={() => void take(false)}>{t('takeKeyInstead')}</Button>}
      </p>
      {error instanceof DOMException ? <p className="note red" role="alert">{t('device', { why: error.message })}</p> : error !== undefined && <Trouble error={error} />}
    </>
  )
}
