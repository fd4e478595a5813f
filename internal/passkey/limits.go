package passkey

// Bounds. Those of an assertion are part of the chain.
const (
	// MinAuthenticatorData is the hash of the rp id, flags and counter. MaxAuthenticatorData
	// leaves room for extensions (an encrypted PRF answer has some 80 bytes). Our own choice.
	MinAuthenticatorData, MaxAuthenticatorData = 37, 512
	// MaxClientData: a browser writes 130 to 250 bytes. Our own choice, as in the
	// specification of the safe box.
	MaxClientData = 1024
	// MaxOrigin bounds one origin, in bytes: a host name has at most 253.
	MaxOrigin = 300
	// MaxRPID bounds a relying party's id, a host name.
	MaxRPID = 253

	// MaxCredentialID is the standard's bound, section 4.
	MaxCredentialID = 1023
	// MaxAttestation bounds an attestation object: a packed one with three certificates
	// has less than 4 KiB. Our own choice.
	MaxAttestation = 16 << 10
	// maxDepth bounds the nesting of CBOR; an attestation has four levels.
	maxDepth = 8
	// maxElements bounds the items of one CBOR structure.
	maxElements = 256
)
