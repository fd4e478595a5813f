// Taking a seat: a key is made here, its public half goes to the server, and the ledger has
// a new post. Who has a key for that seat already gets it back.
import { useQuery } from '@tanstack/react-query'
import { create } from '@bufbuild/protobuf'
import { ConsoleService, type Seat, SeatSchema } from '@/gen/mulian/console/v1/query_pb'
import { AccountKind, KeyAlgorithm, KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { sha256, utf8 } from '@/chain/bytes'
import { arrived, makeKey, makePasskey, passkeysHere, underWay, waiting } from '@/chain/keys'
import { refusal, rpc } from '@/chain/rpc'
import { useTranslation } from 'react-i18next'
import { useWho } from './who'

const TAKEN = 'MUL-11021' // the account has or had the key

/** useBring returns bring(seat, token, passkey): the height at which the ledger has the new key, and when that ends (0: never). */
export function useBring(): (seat: Seat, token: string, passkey: boolean) => Promise<{ height: bigint; endsMs: bigint }> {
  const { t } = useTranslation('shell')
  const { here, add } = useWho()
  return async (seat, token, passkey) => {
    const role = seat.role || seat.id
    const what = `${seat.org}/${seat.id}/${passkey ? 'passkey' : 'key'}`
    const key = await waiting(here.chainId, what, async () => {
      const made = passkey ? await makePasskey(`${seat.orgName} · ${t(`roles.${seat.id === 'root' ? 'root' : role}`)}`) : await makeKey()
      const device = passkey ? await makeKey() : undefined // for who reads: a passkey would ask for each visit
      return {
        ...made, ...(device && { device: { keyId: device.keyId, point: device.point, secret: device.secret! } }),
        account: '', org: seat.org, orgName: seat.orgName, role, chain: here.chainId, addedMs: Date.now(),
      }
    })
    const { device } = key
    const res = await rpc(ConsoleService).takeSeat({
      seat: seat.id, token,
      ...(device && { device: { id: device.keyId, publicKey: device.point, level: KeyLevel.MACHINE, algorithm: KeyAlgorithm.P256 } }),
      key: {
        id: key.keyId, publicKey: key.point, level: KeyLevel.OFFICER,
        algorithm: passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256,
        ...(passkey && { passkey: { rpIdHash: await sha256(utf8(key.rpId!)), backupEligible: key.backupEligible } }),
      },
    }).catch(async (err: unknown) => {
      if (refusal(err).code === TAKEN) await arrived(here.chainId, what) // it was revoked: the next try makes another
      throw err
    })
    await add({ ...key, account: res.account, ...(res.endsMs > 0n && { endsMs: Number(res.endsMs) }) })
    await arrived(here.chainId, what)
    return { height: res.height, endsMs: res.endsMs }
  }
}

/** lostSeat is a seat that was asked for from here and whose answer has not come: its link, which a server shows as used, gives it to the same key once more. */
export async function lostSeat(chain: string): Promise<{ seat: Seat; passkey: boolean } | undefined> {
  for (const { what, signer } of await underWay(chain)) {
    const [org, id, method] = what.split('/')
    if (org && id && org === signer.org) return { seat: create(SeatSchema, { id, org, orgName: signer.orgName, role: signer.role, kind: AccountKind.POST }), passkey: method === 'passkey' }
  }
  return undefined
}

/** usePasskeys is whether this page may use passkeys; undefined while that is not known. */
export function usePasskeys(): boolean | undefined {
  const { here } = useWho()
  return useQuery({ queryKey: ['passkeys'], queryFn: () => passkeysHere(here.rpIds), staleTime: Infinity }).data
}

/** useTake returns take(role): the demo's seat of that role, the one that this browser has or a new one. */
export function useTake(): (role: string) => Promise<void> {
  const { all, use } = useWho()
  const bring = useBring()
  const passkeys = usePasskeys()
  return async (role) => {
    const mine = all.find((s) => s.role === role)
    if (mine) {
      use(mine.account)
      return
    }
    const seat = (await rpc(ConsoleService).listSeats({})).seats.find((s) => s.id === role)
    if (seat) await bring(seat, '', passkeys ?? false)
  }
}
