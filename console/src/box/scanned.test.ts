// The codes are those that internal/qr draws (its tests have the same ones).
import { describe, expect, it } from 'vitest'
import { command, quoted, scanned, spelt } from './scanned'

const HERE = 'https://box.example'
const ID = '0123456789abcdef0123456789abcdef'
const code = '041061050R3GG28A1C60T3QZ1N'

describe('a code', () => {
  it('of a request leads to its page, from here or from elsewhere', () => {
    expect(scanned(` ${HERE}/box/ask/${ID}\n`, HERE)).toEqual({ kind: 'request', id: ID, at: HERE })
    expect(scanned(`http://evil.example/box/ask/${ID}`, HERE)).toEqual({ kind: 'request', id: ID, at: 'http://evil.example' })
    expect(scanned(`${HERE}/box/ask/${ID}#${ID}`, HERE)).toEqual({ kind: 'request', id: ID, at: HERE, salt: ID })
    expect(scanned(ID, HERE)).toEqual({ kind: 'request', id: ID, at: HERE })
  })
  it.each([`${HERE}/box/ask/${ID}0`, `${HERE}/box/ask/${ID.toUpperCase()}`, `${HERE}/box`, `ftp://box.example/box/ask/${ID}`, 'javascript:alert(1)', '', 'hello', 'x'.repeat(5000)])('that is none: %s', (text) => {
    expect(scanned(text, HERE).kind).toBe('other')
  })
  it('that is short is checked letter by letter', () => {
    expect(scanned(`MULIAN:R/${code}`, HERE)).toEqual({ kind: 'short', text: `MULIAN:R/${code}`, at: '' })
    expect(scanned(`https://q.gov.cn/r/${code}`, HERE)).toEqual({ kind: 'short', text: `HTTPS://Q.GOV.CN/R/${code}`, at: 'https://q.gov.cn' })
    expect(scanned('MULIAN:S/041061050R3GG28A1C60T3QZH7', HERE).kind).toBe('show')
    expect(scanned('MULIAN:V/041061050R3GG28A1C60T3QZM6/0A1B2C3D', HERE).kind).toBe('copy')
    expect(scanned('MULIAN:V/041061050R3GG28A1C60T3QZM6', HERE).kind).toBe('mistyped')
    expect(scanned(`MULIAN:S/${code}`, HERE).kind).toBe('mistyped') // spelt for another kind
    for (let i = 0; i < code.length; i++) {
      const other = `${code.slice(0, i)}${code[i] === 'Z' ? 'Y' : 'Z'}${code.slice(i + 1)}`
      expect(spelt('R', other), other).toBe(false)
      const swapped = `${code.slice(0, i)}${code[i + 1] ?? ''}${code[i]}${code.slice(i + 2)}`
      if (swapped !== code) expect(spelt('R', swapped), swapped).toBe(false)
    }
  })
  it('of a wallet gives the command that takes it', () => {
    const ask = scanned('https://bank.example.cn/a?client_id=x509_hash%3AUvo3&request_uri=https%3A%2F%2Fbank.example.cn%2Fr', HERE)
    expect(ask.kind).toBe('wallet')
    expect(command(ask)).toContain("mulian box scan 'https://bank.example.cn/a?")
    expect(scanned('openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa.example%2Fo', HERE).kind).toBe('offer')
    expect(command(scanned(`MULIAN:R/${code}`, HERE))).toBe(`mulian box scan 'MULIAN:R/${code}' --at https://… --number …`)
    expect(quoted("a'; rm b")).toBe(`'a'\\''; rm b'`)
  })
})
