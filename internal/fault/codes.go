package fault

import "fmt"

// A Code names a cause. OK (0) is not a fault; on the wire of the national
// connector interface it is 10000.
type Code uint32

// What was sent: class 11. The message can be right in no state, or not in this
// state of the catalogue.
const (
	OK                   Code = 0
	Empty                Code = 11001 // there is nothing in it
	Malformed            Code = 11003 // it cannot be read as what it should be
	TooLong              Code = 11004 // a text, list or file over its bound
	Missing              Code = 11005 // a required field is not there
	OutOfRange           Code = 11006 // a number, date or code outside its list
	DuplicateName        Code = 11010 // the provider has an entry of that name
	FormatMethodMismatch Code = 11011 // a file offered as an interface, or the reverse
	CodeInconsistent     Code = 11012 // a check digit, alias or reference contradicts itself
	DenyWithoutBasis     Code = 11013 // 不予共享 without law and article
	ConditionMissing     Code = 11014 // 有条件共享 without its conditions
	NoDuty               Code = 11015 // entry or request without a duty
	ItemUnmapped         Code = 11016 // an item without a column, or a column that is not there
	NotFound             Code = 11020 // names something that is not there
	AlreadyExists        Code = 11021 // an id that is taken
	Secret               Code = 11022 // classified matter: outside order 809, article 3
	Doubtful             Code = 11030 // can be taken, a person should look
	CodeDamaged          Code = 11031 // a code that a spreadsheet has turned into a number
	Duplicate            Code = 11032 // the same record again
	Undecodable          Code = 11033 // bytes that are no text in the file's encoding
	OwnerUnclear         Code = 11034 // no owner, or one spelt in several ways
	PartialList          Code = 11035 // a list that lacks much of what its source had before
	Torn                 Code = 11036 // a file that was given ends in the middle, or its bytes are damaged
)

// Who sent it, and how much: class 12.
const (
	BadAuthorisation Code = 12001 // the signature does not hold
	Expired          Code = 12002 // after its end, or before its beginning
	NotWhitelisted   Code = 12003 // the key, account or gateway is not known here
	Forbidden        Code = 12004 // the signer has not the role, post or key level
	Replayed         Code = 12005 // this transaction is on the chain already
	TotalLimit       Code = 12006 // all calls of the agreement are used
	GrantedLimit     Code = 12007 // more rows or fields in one call than agreed
	DailyLimit       Code = 12008 // today's calls are used
	KeyRevoked       Code = 12009 // the key or certificate was revoked or has ended
	Busy             Code = 12010 // come back later
	WrongChain       Code = 12011 // signed for another chain
	Suspended        Code = 12012 // the account or member is suspended
	StaleHeight      Code = 12020 // the gateway's view of the chain is too old to decide
	OutsideWindow    Code = 12021 // not within the agreed days and hours
)

// What the rules of sharing say: class 13.
const (
	NotYourDuty         Code = 13010 // no duty of the asker carries the request
	IncompleteRequest   Code = 13011 // what is missing, told once and in full
	RefusalNeedsReason  Code = 13012 // a refusal without a reason
	ExtensionUnapproved Code = 13013 // more time without the authority's leave
	AgreementSuspended  Code = 13014 // not active: suspended, ended, not yet confirmed
	PurposeMismatch     Code = 13015 // another purpose than agreed
	FieldNotGranted     Code = 13016 // a field that was not agreed
	ConsentNotValid     Code = 13017 // the owner's consent is revoked, paused or ended
	EntryDrifted        Code = 13018 // catalogue and table differ; frozen until settled
	ReceiptGap          Code = 13019 // a number is missing in the access records
	AlreadyCollected    Code = 13020 // another department has it: ask there
	DisposalOverdue     Code = 13021 // data of an ended agreement not yet destroyed
	IllegalTransition   Code = 13022 // not from this state
	Idempotency         Code = 13023 // same id, other content
	LockHeld            Code = 13024 // locked: its counter-signers have to sign
	VersionConflict     Code = 13025 // the object has moved on since it was read
	LogRewritten        Code = 13026 // an access log that contradicts its earlier head
	NotShared           Code = 13027 // the entry or item is 不予共享
	VoteClosed          Code = 13028 // the proposal is decided or has run out
	AlreadyVoted        Code = 13029 // one vote for each member
	ClockNotRunning     Code = 13030 // the deadline is not running or already past
	ForeignFrozen       Code = 13031 // a foreign chain showed two headers of one height
)

// The owner's side, identity of persons and firms: class 14, 14001 to 14019. The
// specification's name of each is its own in small letters with _.
const (
	OriginUnknown    Code = 14001 // a passkey signed on a page that the consortium does not know
	RpIdUnknown      Code = 14002 // a passkey of another relying party
	UvMissing        Code = 14003 // the device did not see, or not recognise, its user
	KeyBackupChanged Code = 14004 // a passkey says otherwise than at enrolment whether it can be copied
	CloneSuspected   Code = 14005 // the passkey's counter went back; until a step-up it reads only
	LevelTooLow      Code = 14006 // the key needs a step-up for this
	StepUpBad        Code = 14007 // the step-up is not of this transaction, or of nobody who may give one
	AccountFrozen    Code = 14008 // frozen by its holder or for him
	NotProofed       Code = 14009 // no identity authority has identified the holder
	ProofingExpired  Code = 14010 // the identification has run out or was revoked
)

// The owner's side, recovery of accounts: 14020-14029.
const (
	AlreadyRecovering       Code = 14020 // an attempt on this account runs
	QuorumShort             Code = 14021 // fewer than have to agree: guardians, operators
	GuardianSelf            Code = 14022 // nobody is his own guardian
	RosterChangedDuringLock Code = 14023 // while a recovery runs nothing is arranged anew
	VetoByLostKey           Code = 14024 // a key that was reported lost has vetoed: a person has to look
	FaceMismatch            Code = 14025 // the face is not that of the proofing
	Deceased                Code = 14026 // the holder of the account has died
)

// The owner's side, mandates: 14030-14039.
const (
	ActorNoMandate        Code = 14030 // who acts for another has no mandate that counts
	MandateScope          Code = 14031 // the mandate does not reach so far
	ScopeExceedsPrincipal Code = 14032 // more than who gives the mandate has
	SubDelegation         Code = 14033 // a mandate cannot be handed on
	KindNeedsAuthority    Code = 14034 // such a mandate is signed by the office that keeps the register
	OverlapConflict       Code = 14035 // a mandate stands that leaves no room for this one
	PrincipalIncapable    Code = 14036 // the principal has a guardian
	AgentIsRp             Code = 14037 // the agent would answer himself
	MinorWithoutGuardian  Code = 14038 // the guardian of a minor has to sign
	MandateSuspended      Code = 14039 // its source has changed, or one side was recovered
)

// What an owner grants: class 14, 14040-14079. The names in brackets are those of
// spec/safebox.md 4.2 and 4.3.
const (
	UseNotRegistered    Code = 14040 // the data user has not registered this use, or has retired it (use_not_registered)
	OverAsk             Code = 14041 // more items than are registered, than the entry has, or than were granted (over_ask)
	PurposeUnknown      Code = 14042 // not a purpose of the consortium (purpose_unknown)
	ItemVersionRetired  Code = 14043 // the entry has other items since that version (item_version_retired)
	FieldMasked         Code = 14044 // the provider does not give the item now: not shared, frozen or without a column (field_masked_by_provider)
	ConsentKindWrong    Code = 14045 // another kind of consent is needed (consent_kind_wrong)
	NoticeMismatch      Code = 14046 // not the notice that was registered (notice_hash_mismatch)
	TextMismatch        Code = 14047 // what the owner was shown is not what he signs (ui_text_mismatch)
	RequestExpired      Code = 14048 // the data request can no longer be answered (request_expired)
	RequestReplayed     Code = 14049 // a request with this nonce was made already (request_replayed)
	MatchWrong          Code = 14050 // not the number that the data user shows (match_code_wrong)
	LimitDuration       Code = 14051 // longer than the purpose allows (limit_duration)
	LimitStanding       Code = 14052 // no standing grant for this purpose, or too many already (limit_standing)
	RecipientKeyExpired Code = 14053 // not a sealing key of the receiving gateway (recipient_key_expired)
	GrantNotActive      Code = 14054 // the grant has not begun, or was voided (not_active)
	TooEarly            Code = 14055 // before the grant begins (too_early)
	TooSoon             Code = 14056 // sooner after the last use than agreed (too_soon)
	UsesExhausted       Code = 14057 // all uses are used (uses_exhausted)
	GrantPaused         Code = 14058 // the owner has paused the grant (paused)
	GrantRevoked        Code = 14059 // the owner has revoked the grant at this height or before (revoked)
	ProviderMismatch    Code = 14060 // not a gateway of this grant (provider_mismatch)
	RowScopeBreached    Code = 14061 // a row outside the granted scope, or of another person (row_scope)
	EmptyResult         Code = 14062 // the source has no such row (empty_result)
	PartialResult       Code = 14063 // only a part of the items could be read (partial_result)
	SealFailed          Code = 14064 // it could not be sealed to the receiver (seal_failed)
	LogNotIncluded      Code = 14065 // the use is not on the ledger yet, so nothing is released (log_not_included)
	DuplicateSeq        Code = 14066 // this use is recorded already (duplicate_seq)
	AttestScopePartial  Code = 14067 // the attestation leaves out something that was delivered (attest_scope_partial)
	ExemptionUnknown    Code = 14068 // not a law that lets copies be kept (exemption_unknown_basis)
)

// The owner's side: class 14. The names that spec/safebox.md has for them stand in their
// comments.
const (
	UnlockersShort       Code = 14080 // unlockers_short: a vault with one kind of unlocker holds nothing that nobody can get again
	NotOwner             Code = 14081 // not_owner: the item is in another's box
	TransferLocked       Code = 14082 // locked: the item is offered to somebody
	RecipientUnknown     Code = 14083 // recipient_unknown: no such account
	RecipientNotEligible Code = 14084 // recipient_not_eligible: it cannot take what is offered
	DoubleOffer          Code = 14085 // double_offer: the same is offered to the same already
	AcceptAfterChange    Code = 14086 // accept_after_change: what was offered is no longer what it was
	VaultMissing         Code = 14087 // vault_missing: no box to which anything could be sealed
	BoxFull              Code = 14088 // box_full: the box has no room for it
	ItemErased           Code = 14089 // item_erased: its keys and content are destroyed
	UnlockerWrong        Code = 14090 // unlocker_wrong: the vault does not open with it
)

// The owner's side, credentials and what is shown of them: class 14, 14100 to 14139.
// The name behind each code is that of the specification.
const (
	OfferExpired             Code = 14100 // offer_expired: the offer has run out
	OfferUsed                Code = 14101 // offer_used: the offer was used already
	HolderProofBad           Code = 14102 // holder_proof_bad: the holder's proof of his key does not hold
	NonceStale               Code = 14103 // nonce_stale: the nonce is old or used
	IssuerNotAuthorised      Code = 14104 // issuer_not_authorised: the issuer may not issue this type
	SchemaUnknownVersion     Code = 14105 // schema_unknown_version: the type has no such version, or it is retired
	SourceMissing            Code = 14106 // source_missing: the source row is not there
	SourceChangedDuringIssue Code = 14107 // source_changed_during_issue: the source changed while the credential was issued
	SubjectMismatch          Code = 14108 // subject_mismatch: the source row is not about this holder
	DuplicateActive          Code = 14109 // duplicate_active: this licence has a credential that is in force
	LicChecksumWarn          Code = 14110 // lic_checksum_warn: the check character of the licence identifier does not fit
	StatusListFull           Code = 14111 // status_list_full: the status list is full
	DepositKeyUnknown        Code = 14112 // deposit_key_unknown: the holder has no vault key
	RevokeNotEntitled        Code = 14113 // revoke_not_entitled: only the issuer sets the status
	SuspendReasonRequired    Code = 14114 // suspend_reason_required: a suspension or revocation needs a cause
	PresentationSignature    Code = 14115 // sig: the issuer's or the holder's signature does not hold
	PresentationType         Code = 14116 // typ: not the kind of token that was asked for
	PresentationVct          Code = 14117 // vct: another type of credential
	PresentationExpired      Code = 14118 // exp: the credential, or the proof of its holder, has run out
	PresentationNotYet       Code = 14119 // nbf: it does not hold yet
	PresentationAudience     Code = 14120 // aud: it was shown to another verifier
	PresentationNonce        Code = 14121 // nonce: not an answer to this request
	PresentationHash         Code = 14122 // sd_hash: the holder's proof belongs to other disclosures
	UndisclosedRequired      Code = 14123 // undisclosed_required: a field that was asked for is not shown
	ExtraDisclosure          Code = 14124 // extra_disclosure: more is shown than was asked for
	DuplicateDigest          Code = 14125 // duplicate_digest: a digest comes twice: the credential has two readings
	StatusInvalid            Code = 14126 // status_invalid: the credential is revoked or superseded
	StatusSuspended          Code = 14127 // status_suspended: the credential is suspended
	StatusUnreachable        Code = 14128 // status_unreachable: the status cannot be asked
	KeyBindingMissing        Code = 14129 // key_binding_missing: the holder did not prove that it is his
	TransactionHashMissing   Code = 14130 // td_hash_missing: the holder's proof does not cover the transaction
	SessionMismatch          Code = 14131 // session_mismatch: the answer belongs to another session
	RequestInvalid           Code = 14132 // invalid_request: the presentation request is not well-formed
	ClientInvalid            Code = 14133 // invalid_client: the requester is not known, or his name does not fit
	AccessDenied             Code = 14134 // access_denied: nothing was shown: no match, or the holder did not agree
	FormatUnsupported        Code = 14135 // vp_formats_not_supported: the wallet supports none of the formats
	UriMethodInvalid         Code = 14136 // invalid_request_uri_method: request_uri_method is neither get nor post
	TransactionInvalid       Code = 14137 // invalid_transaction_data: the transaction data cannot be read or is not supported
	WalletUnavailable        Code = 14138 // wallet_unavailable: the wallet does not answer
)

// The owner's side, e-receipts: class 14, 14140 to 14169. Each comment ends with the name that the
// specification has.
const (
	NumberRepeated       Code = 14140 // a receipt of that code and number exists (number_repeated)
	CodeRangeNotAllotted Code = 14141 // not a number that the unit was given, or no longer (code_range_not_allotted)
	AmountMismatch       Code = 14142 // the amount is not that of the receipt (amount_mismatch)
	CheckCodeBad         Code = 14143 // the check code is not that of the receipt (check_code_bad)
	UnitSigBad           Code = 14144 // the issuing unit's signature does not hold (unit_sig_bad)
	SuperviseMissing     Code = 14145 // the finance bureau has not signed yet (supervise_missing)
	AlreadyLocked        Code = 14146 // another claim has the receipt locked (already_locked)
	LockNotOwner         Code = 14147 // the lock is another organisation's (lock_not_owner)
	LockExpired          Code = 14148 // the lock has run out (lock_expired)
	NotLockedFirst       Code = 14149 // it has to be locked first (not_locked_first)
	ReimbursedElsewhere  Code = 14150 // it was reimbursed already (reimbursed_elsewhere)
	RedAfterReimbursed   Code = 14151 // a part of what was reimbursed cannot be flushed (red_after_reimbursed)
	RedAmountExceeds     Code = 14152 // more than is left of the receipt (red_amount_exceeds)
	RedOfRed             Code = 14153 // a red receipt cannot be flushed or claimed (red_of_red)
	PeriodClosed         Code = 14154 // the period in which it could be used is over (period_closed)
	PayerMismatch        Code = 14155 // the claimant is not who paid (payer_mismatch)
	SplitSum             Code = 14156 // the payments together are more than the receipt (split_sum)
	SuperviseSigBad      Code = 14157 // the finance bureau's signature does not hold (supervise_sig_bad)
	HoldingUnproved      Code = 14158 // it was not shown that the document is held (holding_unproved)
	RedFlushed           Code = 14159 // the receipt was cancelled (red_flushed)
)

// The owner's side, custody for people without a device: class 14, 14170 to 14189.
const (
	CustodyUnrecorded  Code = 14170 // a key in custody has signed what no use is recorded for (custody_unrecorded)
	CustodyUnconfirmed Code = 14171 // the second officer has not confirmed the use (custody_unconfirmed)
	SameDesk           Code = 14172 // one officer, or one desk, would sign twice (same_desk)
	PresenceMismatch   Code = 14173 // the presence is not of this transaction, or of nobody who may say so (presence_mismatch)
	PresenceReplayed   Code = 14174 // the evidence of presence has counted already (presence_replayed)
	UndoWindow         Code = 14175 // the act can still be undone, so it has no effect yet (undo_window)
	CustodyUndone      Code = 14176 // the use was undone (custody_undone)
)

// The owner's side, annotated copies and receipts: class 14, 14190 to 14209.
const (
	CopyCode      Code = 14190 // the letters behind the code are not those of this copy (copy_code)
	CopyForwarded Code = 14191 // the copy was made for somebody else (copy_forwarded)
	CopyEnded     Code = 14192 // its maker has ended the copy (copy_ended)
)

// Ours: class 19.
const (
	Internal           Code = 19001 // our own mistake; the person sees no details
	Unreachable        Code = 19002 // no connection
	Timeout            Code = 19003 // no answer in time; the outcome is unknown
	VerificationFailed Code = 19004 // a proof, signature or checksum does not hold
	Cancelled          Code = 19005 // stopped by the caller
	Usage              Code = 19006 // wrong flags or arguments
	DiskFull           Code = 19007 // no room; nothing was lost
	Damaged            Code = 19008 // a store or file is torn or was changed
	SourceUnreachable  Code = 19009 // the department's database does not answer
	Pruned             Code = 19010 // that height is no longer kept here
	Locked             Code = 19011 // another process uses this folder
	Inaccessible       Code = 19012 // a file or folder of this machine may not be read or written
	Outdated           Code = 19013 // the members decided on rules that this program does not know
	ClockWrong         Code = 19014 // the clock of this machine is off
)

// String returns the code as people write it: MUL-13018.
func (c Code) String() string { return fmt.Sprintf("MUL-%05d", uint32(c)) }

// Exit returns the exit status of the command line for c (spec/console.md):
// 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 rejected by the chain,
// 6 unreachable or timeout, 7 verification failed, 8 a newer program is needed.
func (c Code) Exit() int {
	switch c {
	case OK:
		return 0
	case Usage:
		return 2
	case NotFound:
		return 3
	case BadAuthorisation, NotWhitelisted, Forbidden, KeyRevoked, Suspended,
		OriginUnknown, RpIdUnknown, UvMissing, KeyBackupChanged, CloneSuspected, LevelTooLow, StepUpBad, AccountFrozen, UnlockerWrong:
		return 4
	case Unreachable, Timeout, SourceUnreachable, Busy:
		return 6
	case VerificationFailed, LogRewritten, Damaged:
		return 7
	case Outdated:
		return 8
	}
	if c >= 11000 && c < 15000 {
		return 5
	}
	return 1
}
