// Whether a credential holds at a moment: its end by date is written nowhere, it follows.
import { type Credential, CredentialState as S } from '@/gen/mulian/credential/v1/credential_pb'

export type Holds = 'VALID' | 'SUSPENDED' | 'REVOKED' | 'SUPERSEDED' | 'EXPIRED' | 'UNSPECIFIED'

/** holds is its state at a moment; what has ended for another reason stays so after its last day. */
export const holds = (c: Pick<Credential, 'state' | 'expiresMs'>, atMs: number): Holds =>
  (c.state === S.VALID || c.state === S.SUSPENDED) && c.expiresMs > 0n && atMs >= Number(c.expiresMs) ? 'EXPIRED' : (S[c.state] as Holds)
