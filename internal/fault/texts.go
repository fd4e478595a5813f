package fault

import "slices"

// Text explains a code to people: what happened, and what to do. `mulian explain`
// prints it; a test holds that every code has one.
type Text struct {
	Code         Code
	Name         string // identifier, as in the sources and the API's documentation
	TitleZh      string
	TitleEn      string
	FixZh, FixEn string
}

// Explain returns the text of a code, and whether there is one.
func Explain(c Code) (Text, bool) {
	i, ok := slices.BinarySearchFunc(texts, c, func(t Text, c Code) int { return int(t.Code) - int(c) })
	if !ok {
		return Text{}, false
	}
	return texts[i], true
}

// All returns every code with its text, by number.
func All() []Text { return slices.Clone(texts) }

// texts is ordered by code.
var texts = []Text{
	{Empty, "Empty", "内容为空", "there is nothing in it", "检查文件或请求是否真的有内容", "check that the file or request has content"},
	{Malformed, "Malformed", "无法识别的格式", "it cannot be read as what it should be", "对照说明改正格式；消息里写明了位置和期望", "correct the format; the message says where and what was expected"},
	{TooLong, "TooLong", "超过长度或数量上限", "a text, list or file is over its bound", "缩短内容，或分成几次提交", "shorten it, or send it in several parts"},
	{Missing, "Missing", "缺少必填字段", "a required field is missing", "补上消息里写明的字段", "add the field that the message names"},
	{OutOfRange, "OutOfRange", "数值、日期或代码超出范围", "a number, date or code is outside its list", "改成允许的取值", "use an allowed value"},
	{DuplicateName, "DuplicateName", "名称重复", "the name is taken", "同一部门的目录名称不能相同（忽略空格和全半角）；换一个名称，或更新已有的那一条", "names are unique within a provider (blanks and width do not count); take another name or update the existing one"},
	{FormatMethodMismatch, "FormatMethodMismatch", "资源格式与共享方式不符", "format and method do not go together", "文件类资源不能按接口提供；改格式或改方式", "a file cannot be offered as an interface; change the format or the method"},
	{CodeInconsistent, "CodeInconsistent", "代码自相矛盾", "a code contradicts itself", "核对统一社会信用代码等的校验位；消息里写明了期望值", "check the check digit; the message names the expected one"},
	{DenyWithoutBasis, "DenyWithoutBasis", "不予共享缺少法律依据", "not shared, but no law is named", "写明法律、行政法规或国务院决定的名称和条款（条例第14条）", "name the law, regulation or State Council decision and its article (order 809 art. 14)"},
	{ConditionMissing, "ConditionMissing", "有条件共享缺少共享条件", "conditional, but no condition is stated", "写明共享条件，或改为无条件共享", "state the conditions, or share without conditions"},
	{NoDuty, "NoDuty", "没有对应的职责", "there is no duty behind it", "目录和申请都要挂在本部门的一条有效职责上；先登记职责", "an entry or request hangs on a valid duty of its own department; file the duty first"},
	{ItemUnmapped, "ItemUnmapped", "信息项没有对应的字段", "an item has no column", "把信息项映射到库表中存在的字段", "map the item to a column that exists in the table"},
	{NotFound, "NotFound", "没有找到", "it is not there", "核对编号或文件名；账本上有什么，mulian search 可查", "check the id or the file's name; mulian search finds what is on the ledger"},
	{AlreadyExists, "AlreadyExists", "已经存在", "it exists already", "换一个编号，或更新已有的", "take another id, or update the existing one"},
	{Secret, "Secret", "涉密内容不得进入", "classified matter may not enter", "条例第3条不适用于国家秘密；请从文件中移除", "order 809 art. 3 excludes state secrets; remove it from the file"},
	{Doubtful, "Doubtful", "可以导入，但需要人工确认", "it can be taken, but a person should look", "看一眼消息里的建议，改正或确认", "look at the suggestion in the message; correct or confirm it"},
	{CodeDamaged, "CodeDamaged", "代码被表格软件改成了数字", "a spreadsheet has turned a code into a number", "原代码已丢失；把该列设为文本后重新导出", "the code is lost; set the column to text and export again"},
	{Duplicate, "Duplicate", "完全重复的记录", "the same record again", "无需处理，只导入一次；如非有意请清理来源", "nothing to do, it is taken once; clean the source if it was not meant"},
	{Undecodable, "Undecodable", "无法按文件编码解读的字节", "bytes that are no text in the file's encoding", "用 --encoding 指明编码，或重新导出为 UTF-8", "name the encoding with --encoding, or export as UTF-8"},
	{OwnerUnclear, "OwnerUnclear", "提供单位缺失或写法不一", "the owner is missing or spelt in several ways", "用 --owner 指定默认单位，或按建议合并写法", "give a default with --owner, or merge the spellings as suggested"},
	{PartialList, "PartialList", "清单疑似不完整：上次导入的目录缺了许多", "the list lacks much of what its source had before", "核对文件是否完整；确属部分清单用 --part，确已减少用 --confirm-missing 加缺失条数", "see whether the file is whole; name it a part with --part, or confirm the number with --confirm-missing"},
	{Torn, "Torn", "文件不完整或已损坏", "the file is torn or damaged", "重新下载或重新保存该文件，再试一次；账本没有变化", "fetch or save the file again and try once more; nothing on the ledger has changed"},

	{BadAuthorisation, "BadAuthorisation", "签名不成立", "the signature does not hold", "检查是否用了正确的密钥；内容签名后不能改动", "check that the right key was used; nothing may change after signing"},
	{Expired, "Expired", "已过期或尚未开始", "it has ended, or has not begun", "检查时钟；过期的请重新申请或签名", "check the clock; ask or sign again"},
	{NotWhitelisted, "NotWhitelisted", "不认识的密钥、账户或网关", "the key, account or gateway is not known here", "先在链上登记，或核对是否是协议的当事方", "register it on the chain, or check that it is a party of the agreement"},
	{Forbidden, "Forbidden", "没有权限", "not allowed", "需要的角色、岗位或密钥级别写在消息里；由主管部门或本机构根密钥授予", "the message names the role, post or key level that is needed; the authority or the organisation's root key gives it"},
	{Replayed, "Replayed", "该交易已在链上", "this transaction is on the chain already", "无需重发；用 mulian trace 查看结果", "nothing to send again; mulian trace shows the result"},
	{TotalLimit, "TotalLimit", "协议的总次数已用完", "all calls of the agreement are used", "申请新的协议", "apply for a new agreement"},
	{GrantedLimit, "GrantedLimit", "超过每次允许的行数或字段", "more in one call than agreed", "减少单次请求量", "ask for less in one call"},
	{DailyLimit, "DailyLimit", "今天的次数已用完", "today's calls are used", "明天再试，或协商更高限额", "try tomorrow, or agree on more"},
	{KeyRevoked, "KeyRevoked", "密钥已吊销或到期", "the key was revoked or has ended", "换用有效密钥；mulian org show 可查", "use a valid key; mulian org show lists them"},
	{Busy, "Busy", "系统繁忙", "busy", "稍后再试；没有丢失任何东西", "try again in a moment; nothing was lost"},
	{WrongChain, "WrongChain", "为另一条链签的名", "signed for another chain", "核对 --server 指向的链", "check which chain --server points to"},
	{Suspended, "Suspended", "账户已停用", "the account is suspended", "由主管部门或所属机构恢复", "the authority or its organisation can resume it"},
	{StaleHeight, "StaleHeight", "网关看到的链太旧，不能作决定", "the gateway's view of the chain is too old to decide", "检查网关与节点的连接；恢复后自动继续", "check the gateway's connection to a node; it goes on by itself"},
	{OutsideWindow, "OutsideWindow", "不在约定的日期和时段内", "not within the agreed days and hours", "在约定时段再试；mulian share show 可查", "try again within them; mulian share show tells which"},

	{NotYourDuty, "NotYourDuty", "不是你的职责", "not your duty", "申请须依据本部门自己的职责", "a request rests on a duty of the asking department itself"},
	{IncompleteRequest, "IncompleteRequest", "申请材料不完整", "the request is incomplete", "按一次性告知的清单补正：mulian share supplement", "supplement what was listed: mulian share supplement"},
	{RefusalNeedsReason, "RefusalNeedsReason", "拒绝必须说明理由", "a refusal needs a reason", "加上 --reason（条例第21条）", "add --reason (order 809 art. 21)"},
	{ExtensionUnapproved, "ExtensionUnapproved", "延期未经批准", "more time was not approved", "由主管部门批准：mulian share extend --approve", "the authority approves: mulian share extend --approve"},
	{AgreementSuspended, "AgreementSuspended", "协议未生效、已中止或已终止", "the agreement is not active", "mulian share show 可查原因；由中止方恢复", "mulian share show tells why; whoever suspended it can resume it"},
	{PurposeMismatch, "PurposeMismatch", "用途与协议不符", "another purpose than agreed", "只能用于约定用途；其他用途另行申请（条例第25条）", "use it for the agreed purpose; apply again for another (order 809 art. 25)"},
	{FieldNotGranted, "FieldNotGranted", "该字段未获授权", "a field that was not agreed", "只请求协议里的信息项", "ask only for the items of the agreement"},
	{ConsentNotValid, "ConsentNotValid", "所有者的授权已撤回、暂停或到期", "the owner's consent is not valid", "请所有者重新授权", "ask the owner again"},
	{EntryDrifted, "EntryDrifted", "目录与库表不一致，已冻结", "catalogue and table differ; frozen until settled", "由提供部门处理：mulian source drift list、settle", "the provider settles it: mulian source drift list, settle"},
	{ReceiptGap, "ReceiptGap", "访问记录缺号", "a number is missing in the access records", "停止使用该网关并由监督方核查：mulian trace", "stop using the gateway; the supervisor looks into it: mulian trace"},
	{AlreadyCollected, "AlreadyCollected", "已有部门采集，不得重复采集", "another department has collected it", "向该部门申请共享（条例第19条）", "ask that department (order 809 art. 19)"},
	{DisposalOverdue, "DisposalOverdue", "应销毁的数据逾期未销毁", "data of an ended agreement is not destroyed", "销毁并提交证明：mulian share dispose；提交后可继续交付", "destroy it and file the certificate: mulian share dispose; then deliveries go on"},
	{IllegalTransition, "IllegalTransition", "当前状态不允许这样做", "not possible from this state", "消息里写明了当前状态和可行的下一步", "the message names the state and what is possible from it"},
	{Idempotency, "Idempotency", "同一编号，内容不同", "same id, other content", "换一个新编号", "use a new id"},
	{LockHeld, "LockHeld", "已锁定，须会签方签名", "locked: its counter-signers have to sign", "由锁上写明的部门会签：mulian catalogue countersign", "the departments that the lock names sign: mulian catalogue countersign"},
	{VersionConflict, "VersionConflict", "对象已被他人更新", "the object has moved on since it was read", "重新读取后再改", "read it again, then change it"},
	{LogRewritten, "LogRewritten", "访问日志与先前的锚定矛盾", "an access log contradicts its earlier head", "停止使用该网关；这是证据，保留现场", "stop using the gateway; this is evidence, keep everything as it is"},
	{NotShared, "NotShared", "不予共享", "it is not shared", "该目录或信息项依法不予共享", "the law excludes this entry or item from sharing"},
	{VoteClosed, "VoteClosed", "表决已结束", "the vote is closed", "如仍需要，重新提出", "propose again if it is still wanted"},
	{AlreadyVoted, "AlreadyVoted", "已经投过票", "already voted", "一个成员一票，不能更改", "one vote for each member, not changed later"},
	{ClockNotRunning, "ClockNotRunning", "期限没有在计时", "the deadline is not running", "mulian share show 可查", "mulian share show tells why"},
	{ForeignFrozen, "ForeignFrozen", "对端链已冻结", "the foreign chain is frozen", "它出示过同一高度的两个区块头；查明后由表决更换信任根：mulian foreign thaw", "two headers of one height were shown; look into it, then vote on another root: mulian foreign thaw"},

	{OfferExpired, "OfferExpired", "领取邀请已过期", "offer_expired: the offer has run out", "请签发机构重新发出邀请", "ask the issuer for a new offer"},
	{OfferUsed, "OfferUsed", "领取邀请已用过", "offer_used: the offer was used already", "一份邀请只能领取一次；如不是本人领取，请告知签发机构", "an offer is good for once; tell the issuer if it was not you"},
	{HolderProofBad, "HolderProofBad", "持有人密钥证明不成立", "holder_proof_bad: the holder's proof of his key does not hold", "用将持有凭证的密钥重新签名", "sign again with the key that will hold the credential"},
	{NonceStale, "NonceStale", "随机数已过期或已用过", "nonce_stale: the nonce is old or used", "取一个新的随机数再试", "fetch a new nonce and try again"},
	{IssuerNotAuthorised, "IssuerNotAuthorised", "签发机构无权签发该类凭证", "issuer_not_authorised: the issuer may not issue this type", "该类凭证的类型负责部门可把签发机构列入", "the owner of the type can name the issuer in it"},
	{SchemaUnknownVersion, "SchemaUnknownVersion", "凭证类型没有这个版本，或该版本已停用", "schema_unknown_version: the type has no such version, or it is retired", "mulian credential type show 可查有效版本", "mulian credential type show lists the versions"},
	{SourceMissing, "SourceMissing", "来源数据不存在", "source_missing: the source row is not there", "核对来源目录和行的标识", "check the source entry and the key of the row"},
	{SourceChangedDuringIssue, "SourceChangedDuringIssue", "签发期间来源数据发生变化", "source_changed_during_issue: the source changed while the credential was issued", "没有签发任何东西；重新签发", "nothing was issued; issue again"},
	{SubjectMismatch, "SubjectMismatch", "来源数据不属于该持有人", "subject_mismatch: the source row is not about this holder", "核对持有人账户与来源数据的身份标识", "check the holder's account against the row"},
	{DuplicateActive, "DuplicateActive", "同一证照标识已有有效凭证", "duplicate_active: this licence has a credential that is in force", "用换发代替，或先吊销旧的", "supersede it, or revoke the old one first"},
	{LicChecksumWarn, "LicChecksumWarn", "证照标识的校验位不符", "lic_checksum_warn: the check character of the licence identifier does not fit", "只是提醒：核对标识；由我们签发的必须正确", "a warning: check the identifier; one that we issue must be right"},
	{StatusListFull, "StatusListFull", "状态表已满", "status_list_full: the status list is full", "换下一张状态表", "take the next list"},
	{DepositKeyUnknown, "DepositKeyUnknown", "持有人没有登记保险库公钥", "deposit_key_unknown: the holder has no vault key", "请持有人先开通保险箱；凭证可先交给本人", "the holder opens a safe box first; the credential can be handed to him"},
	{RevokeNotEntitled, "RevokeNotEntitled", "只有签发机构可以变更凭证状态", "revoke_not_entitled: only the issuer sets the status", "请签发机构办理", "ask the issuer"},
	{SuspendReasonRequired, "SuspendReasonRequired", "停用、吊销必须说明事由", "suspend_reason_required: a suspension or revocation needs a cause", "加上 --cause", "add --cause"},
	{PresentationSignature, "PresentationSignature", "凭证或持有人的签名不成立", "sig: the issuer's or the holder's signature does not hold", "不要采信", "do not believe it"},
	{PresentationType, "PresentationType", "不是所要求的凭证格式", "typ: not the kind of token that was asked for", "要求 dc+sd-jwt 格式", "want dc+sd-jwt"},
	{PresentationVct, "PresentationVct", "不是所要求的凭证类型", "vct: another type of credential", "出示所要求的那一类凭证", "show the type that was asked for"},
	{PresentationExpired, "PresentationExpired", "凭证或出示已过期", "exp: the credential, or the proof of its holder, has run out", "换发凭证，或重新出示", "have it issued again, or show it again"},
	{PresentationNotYet, "PresentationNotYet", "凭证尚未生效", "nbf: it does not hold yet", "检查时钟，或等到生效日", "check the clock, or wait for its beginning"},
	{PresentationAudience, "PresentationAudience", "出示给了另一个核验方", "aud: it was shown to another verifier", "请持有人直接向你出示", "ask the holder to show it to you"},
	{PresentationNonce, "PresentationNonce", "不是对本次请求的出示", "nonce: not an answer to this request", "用新的请求重新出示", "ask again with a new request"},
	{PresentationHash, "PresentationHash", "持有人证明与披露字段不符", "sd_hash: the holder's proof belongs to other disclosures", "不要采信；重新出示", "do not believe it; ask again"},
	{UndisclosedRequired, "UndisclosedRequired", "缺少要求出示的字段", "undisclosed_required: a field that was asked for is not shown", "请持有人出示全部所需字段", "ask the holder for all fields"},
	{ExtraDisclosure, "ExtraDisclosure", "出示了未要求的字段", "extra_disclosure: more is shown than was asked for", "丢弃这份出示，只请求所需字段", "drop it and ask for the fields you need"},
	{DuplicateDigest, "DuplicateDigest", "摘要重复，凭证有歧义", "duplicate_digest: a digest comes twice: the credential has two readings", "不要采信；告知签发机构", "do not believe it; tell the issuer"},
	{StatusInvalid, "StatusInvalid", "凭证已吊销或被换发取代", "status_invalid: the credential is revoked or superseded", "请持有人出示有效凭证", "ask the holder for one that is in force"},
	{StatusSuspended, "StatusSuspended", "凭证已暂停", "status_suspended: the credential is suspended", "来源数据可能已变化；由签发机构恢复或换发", "its source may have changed; the issuer resumes or issues again"},
	{StatusUnreachable, "StatusUnreachable", "查不到凭证状态", "status_unreachable: the status cannot be asked", "稍后再试；或按策略人工核对", "try later, or check by hand as your policy says"},
	{KeyBindingMissing, "KeyBindingMissing", "没有持有人证明", "key_binding_missing: the holder did not prove that it is his", "请持有人用绑定密钥出示", "ask the holder to show it with his key"},
	{TransactionHashMissing, "TransactionHashMissing", "持有人证明未覆盖本次交易", "td_hash_missing: the holder's proof does not cover the transaction", "重新请求，交易内容须由持有人确认", "ask again; the holder has to confirm the transaction"},
	{SessionMismatch, "SessionMismatch", "答复属于另一个会话", "session_mismatch: the answer belongs to another session", "在同一会话里重新发起", "start again in one session"},
	{RequestInvalid, "RequestInvalid", "出示请求不符合规范", "invalid_request: the presentation request is not well-formed", "核对 OpenID4VP 1.0 第5节的参数", "check the parameters of OpenID4VP 1.0, section 5"},
	{ClientInvalid, "ClientInvalid", "不认识请求方，或其标识不符", "invalid_client: the requester is not known, or his name does not fit", "核对 client_id 与登记的证书", "check client_id against the registered certificate"},
	{AccessDenied, "AccessDenied", "没有出示：没有匹配的凭证，或持有人未同意", "access_denied: nothing was shown: no match, or the holder did not agree", "两种情形不加区分；可另行办理", "the two are not told apart; offer another way"},
	{FormatUnsupported, "FormatUnsupported", "钱包不支持所要求的格式", "vp_formats_not_supported: the wallet supports none of the formats", "加上 dc+sd-jwt", "add dc+sd-jwt"},
	{UriMethodInvalid, "UriMethodInvalid", "request_uri_method 不是 get 或 post", "invalid_request_uri_method: request_uri_method is neither get nor post", "改成 get 或 post", "use get or post"},
	{TransactionInvalid, "TransactionInvalid", "交易内容无法识别或不被支持", "invalid_transaction_data: the transaction data cannot be read or is not supported", "核对类型和凭证编号", "check its type and credential ids"},
	{WalletUnavailable, "WalletUnavailable", "钱包没有应答", "wallet_unavailable: the wallet does not answer", "请持有人打开钱包再试", "ask the holder to open the wallet and try again"},

	{NumberRepeated, "NumberRepeated", "票据号码重复", "a receipt of that number exists", "一个号码只开一张票；核对本单位的票号登记（number_repeated）", "a number is issued once; look into the unit's own register (number_repeated)"},
	{CodeRangeNotAllotted, "CodeRangeNotAllotted", "不在已分配的票段内", "outside the numbers allotted to the unit", "由财政部门分配票段：mulian ereceipt allot；或等票段生效、换用未用完的票段（code_range_not_allotted）", "the finance bureau allots ranges: mulian ereceipt allot; or take one that is in term and not used up (code_range_not_allotted)"},
	{AmountMismatch, "AmountMismatch", "金额与票据不符", "the amount is not that of the receipt", "以票据原件上的金额为准，重新取原件（amount_mismatch）", "take the amount from the document itself; get the document again (amount_mismatch)"},
	{CheckCodeBad, "CheckCodeBad", "校验码错误", "the check code is wrong", "核对票据上的六位校验码；多次不符请向开票单位核实（check_code_bad）", "compare the six digits on the receipt; if they do not fit, ask the unit (check_code_bad)"},
	{UnitSigBad, "UnitSigBad", "开票单位签名不成立", "the issuing unit's signature does not hold", "不要采信该票据；向开票单位索取原件（unit_sig_bad）", "do not believe this receipt; ask the unit for the document (unit_sig_bad)"},
	{SuperviseMissing, "SuperviseMissing", "缺少财政监制签名", "the finance bureau has not signed", "等财政部门监制后再试（supervise_missing）", "wait until the finance bureau has signed (supervise_missing)"},
	{AlreadyLocked, "AlreadyLocked", "票据已被锁定", "the receipt is locked", "另一家机构正在报销；等其释放、报销或到期（already_locked）", "another organisation reckons with it; wait until it releases, pays or runs out of time (already_locked)"},
	{LockNotOwner, "LockNotOwner", "锁定方不是本机构", "the lock is another organisation's", "只有锁定方能释放或报销（lock_not_owner）", "only who holds the lock can release it or pay (lock_not_owner)"},
	{LockExpired, "LockExpired", "锁定已到期", "the lock has run out", "重新锁定后再报销：mulian ereceipt lock（lock_expired）", "lock it again, then pay: mulian ereceipt lock (lock_expired)"},
	{NotLockedFirst, "NotLockedFirst", "必须先锁定", "it has to be locked first", "先运行 mulian ereceipt lock（not_locked_first）", "lock it first: mulian ereceipt lock (not_locked_first)"},
	{ReimbursedElsewhere, "ReimbursedElsewhere", "票据已报销", "it was reimbursed already", "不得重复报销；同时有多家承担的，先付方须留出余额（reimbursed_elsewhere）", "it is not paid twice; where several pay, the first one leaves the rest open (reimbursed_elsewhere)"},
	{RedAfterReimbursed, "RedAfterReimbursed", "已报销部分不能部分冲红", "a part that was reimbursed cannot be flushed by itself", "整张冲红，由报销方退款后完成（red_after_reimbursed）", "flush all of it; it is done when who paid has the money back (red_after_reimbursed)"},
	{RedAmountExceeds, "RedAmountExceeds", "冲红金额超过余额", "more is flushed than is left", "核对原票金额和已冲红金额（red_amount_exceeds）", "compare the amount with what was flushed before (red_amount_exceeds)"},
	{RedOfRed, "RedOfRed", "红票不能再冲红或报销", "a red receipt is not flushed or claimed", "对原蓝票操作，或重新开票（red_of_red）", "act on the receipt that it cancels, or issue a new one (red_of_red)"},
	{PeriodClosed, "PeriodClosed", "入账期已结束", "its period is over", "该票据已过可报销或冲红的期限；联系开票单位换开（period_closed）", "nobody may reckon with it or flush it any more; ask the unit for a new one (period_closed)"},
	{PayerMismatch, "PayerMismatch", "交款人不符", "the claimant is not who paid", "核对交款人；代为报销须用交款人的身份信息（payer_mismatch）", "compare who paid; a claim for somebody else names the payer (payer_mismatch)"},
	{SplitSum, "SplitSum", "多方报销合计超过票面金额", "the payments together exceed the receipt", "按剩余金额报销：mulian ereceipt show 可查（split_sum）", "pay at most what is left: mulian ereceipt show (split_sum)"},
	{SuperviseSigBad, "SuperviseSigBad", "财政监制签名不成立", "the finance bureau's signature does not hold", "不要采信该票据；报告财政部门（supervise_sig_bad）", "do not believe this receipt; tell the finance bureau (supervise_sig_bad)"},
	{HoldingUnproved, "HoldingUnproved", "未证明持有票据原件", "it was not shown that the document is held", "由持有原件的一方锁定；锁定声明只对写明的机构、索赔和期限有效（holding_unproved）", "who has the document locks it; the signature counts for the organisation, claim and term that it names (holding_unproved)"},
	{RedFlushed, "RedFlushed", "票据已冲红", "the receipt was cancelled", "该票据已作废；向开票单位索取新票（red_flushed）", "it counts no more; ask the unit for a new one (red_flushed)"},

	{Internal, "Internal", "我们自己的错误", "a mistake of our own", "没有改变任何东西；把编号报给运维", "nothing was changed; report the reference to the operator"},
	{Unreachable, "Unreachable", "连不上", "cannot be reached", "检查地址和网络；mulian doctor", "check address and network; mulian doctor"},
	{Timeout, "Timeout", "没有及时答复，结果未知", "no answer in time; the outcome is unknown", "用 mulian trace 查交易编号；重发同一签名是安全的", "look the transaction up with mulian trace; sending the same signature again is safe"},
	{VerificationFailed, "VerificationFailed", "证明不成立", "a proof does not hold", "不要采信；换一个服务器核对", "do not believe it; check with another server"},
	{Cancelled, "Cancelled", "已取消", "stopped", "先前报告完成的仍然有效，其余没有做；可以重来", "what was reported as done stands, the rest was not done; start again when you like"},
	{Usage, "Usage", "命令用法不对", "wrong flags or arguments", "加 --help 看例子", "see --help for an example"},
	{DiskFull, "DiskFull", "磁盘已满", "the disk is full", "腾出空间后重启；已确认的都在", "make room and start again; whatever was acknowledged is there"},
	{Damaged, "Damaged", "文件损坏或被改动", "a store or file is torn or was changed", "从备份恢复，或删除索引重建", "restore the backup, or delete the index and let it be made anew"},
	{SourceUnreachable, "SourceUnreachable", "部门数据库没有应答", "the department's database does not answer", "检查数据库和只读账号；mulian source test", "check the database and the read-only account; mulian source test"},
	{Pruned, "Pruned", "该高度已不保留", "that height is no longer kept here", "向归档节点查询", "ask an archive node"},
	{Locked, "Locked", "目录正被另一个进程使用", "another process uses this folder", "停掉另一个进程，或换 --home", "stop the other process, or use another --home"},
	{Inaccessible, "Inaccessible", "本机的文件或文件夹不能读写", "a file or folder of this machine may not be read or written", "检查路径和权限（--home 要能写），或换一个位置", "check the path and its rights (--home has to be writable), or use another place"},
	{Outdated, "Outdated", "本程序的版本低于链上表决生效的规则版本", "the members decided on rules that this program does not know", "安装提案所指的新版本，用同一目录启动；数据原样保留，从该高度继续", "install the version that the proposal names and start it with the same folder; all data is kept, and it goes on from that height"},
	{ClockWrong, "ClockWrong", "本机时钟不准", "the clock of this machine is off", "校准时钟（timedatectl set-ntp true）后重启节点", "set the clock (timedatectl set-ntp true), then start the node again"},
}
