// Reading an applicant's code: what a hand scanner types, what somebody pastes, or a picture.
import type { Bytes } from '@/chain/bytes'

const ACCOUNT = /\b[pf]-[0-9a-f]{32}\b/

/** accountIn finds the account of a person or firm in what was scanned or pasted; "" if there is none. */
export const accountIn = (text: string): string => text.toLowerCase().match(ACCOUNT)?.[0] ?? ''

const SIDE = 1600 // a picture is read at most this large: a telephone's camera has many times that

/** textOf reads the code in a picture. It throws if there is none. */
export async function textOf(picture: Blob): Promise<string> {
  const [{ default: decodeQR }, bitmap] = await Promise.all([import('qr/decode.js'), createImageBitmap(picture)])
  const by = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(bitmap.width * by))
  canvas.height = Math.max(1, Math.round(bitmap.height * by))
  const pen = canvas.getContext('2d')!
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  const { data, width, height } = pen.getImageData(0, 0, canvas.width, canvas.height)
  const text = decodeQR({ data: data as unknown as Bytes, width, height }, { timeLimit: 3000 })
  if (!text) throw new Error('no code')
  return text
}
