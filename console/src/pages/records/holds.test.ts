import { describe, expect, it } from 'vitest'
import { CredentialState as S } from '@/gen/mulian/credential/v1/credential_pb'
import { holds } from './holds'

describe('a credential', () => {
  it('has expired from its end on, if nothing has ended it before', () => {
    const at = (state: S, ms: number, expiresMs = 1000n) => holds({ state, expiresMs }, ms)
    expect([at(S.VALID, 999), at(S.VALID, 1000), at(S.SUSPENDED, 1000), at(S.REVOKED, 1000), at(S.SUPERSEDED, 1000), at(S.VALID, 1000, 0n)]).toEqual(['VALID', 'EXPIRED', 'EXPIRED', 'REVOKED', 'SUPERSEDED', 'VALID'])
  })
})
