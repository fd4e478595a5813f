// The shapes of mulian-verify.mjs for TypeScript.
export interface Signer { account: string; as: string; key: string; algorithm: string; state: string }
export interface Validator { key: string; power: number; signed: boolean; sm2: boolean }
export interface Report {
  ok: boolean
  code: number
  reason: string
  milliseconds: number
  step?: string
  field?: string
  kind?: string
  object?: string
  chain?: string
  genesis?: string
  height?: number
  time?: string
  power?: string
  sm2?: string
  signers?: Signer[]
  checkpoint?: number
  checks?: { step: string; says: string }[]
  statement?: Record<string, unknown>
  validators?: Validator[]
  value?: Uint8Array
}
export interface Checkpoint { chain: string; genesis: string; height: number; hash: string; validators: string }
export function verify(file: Uint8Array, genesisHash: string): Report
export function verifyFrom(file: Uint8Array, text: string): Report
export function checkpointOf(text: string): Checkpoint
export function genesisHash(file: Uint8Array): string
export function sha256(message: Uint8Array): Uint8Array
export function sm3(message: Uint8Array): Uint8Array
export function remember(): void
