package safebox

// Bounds; part of the chain.
const (
	// MaxItems bounds the list of one message, from the schema.
	MaxItems = 200
	// MaxOffers bounds the open transfers of one item.
	MaxOffers = 20
	// MaxOfferDays is how long an offer may stand. Our own choice: a month.
	MaxOfferDays = 30
	// MaxBoxItems bounds what a box ever gets: of one a day, 270 years. Our own choice.
	MaxBoxItems = 100_000
	// MaxDuePerBlock bounds the offers that one block ends; the rest waits for the next.
	MaxDuePerBlock = 200

	maxKeys      = 3    // one for each suite
	pointBytes   = 65   // an uncompressed point of SM2 or P-256
	hybridBytes  = 1249 // ML-KEM-768 encapsulation key (1184) and a point of P-256
	maxAccount   = 100  // longer than any account id
	idLength     = 32   // hex digits of an item's id
	transferID   = 16   // hex digits of a transfer's id
	twoKinds     = 2    // of unlockers, before anything that nobody can get again is kept
	dayMs        = 24 * 60 * 60 * 1000
	maxUnlockers = 5
)
