package prooffile

import (
	"bytes"
	"encoding/binary"

	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state/proof"
)

// A signature of a receipt may be one of a batch (gateway/receipt): "MB" 01 | index (4
// bytes) | size (4) | path | signature, over batchDomain | size (8) | root of the records.
const (
	batchDomain = "mulian-receipts-v1\x00"
	batchMagic  = "MB\x01"
	batchHead   = len(batchMagic) + 8
	maxBatch    = 256
)

// unbatch returns what was signed, and the signature over it.
func unbatch(record, sig []byte, at string) (message, plain []byte, r *refusal) {
	if !bytes.HasPrefix(sig, []byte(batchMagic)) || len(sig) <= sm.MaxSignatureSize {
		return append([]byte(receiptDomain), record...), sig, nil
	}
	index, size := binary.BigEndian.Uint32(sig[3:]), binary.BigEndian.Uint32(sig[7:])
	if size < 2 || size > maxBatch || index >= size {
		return nil, nil, refuse(stepSignature, at, "leaf %d of a batch of %d", index, size)
	}
	n := 0
	for i, left := index, size; left > 1; i, left = i/2, (left+1)/2 {
		if i^1 < left {
			n++
		}
	}
	if len(sig) <= batchHead+32*n {
		return nil, nil, refuse(stepSignature, at, "the path of the batch is cut")
	}
	root, err := proof.RootFromPath(proof.EventLeaf(record), int64(index), int64(size), hashes(sig[batchHead:batchHead+32*n]))
	if err != nil {
		return nil, nil, refuse(stepSignature, at, "%v", err)
	}
	message = binary.BigEndian.AppendUint64([]byte(batchDomain), uint64(size))
	return append(message, root[:]...), sig[batchHead+32*n:], nil
}

// Unbatch returns what a receipt's signature is over, and the signature, of one in either
// form. VerificationFailed if it is in none.
func Unbatch(record, sig []byte) (message, plain []byte, err error) {
	message, plain, r := unbatch(record, sig, "signature")
	if r != nil {
		return nil, nil, fault.Newf(r.code, "%s", r.text)
	}
	return message, plain, nil
}
