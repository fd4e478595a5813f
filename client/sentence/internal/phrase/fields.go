package phrase

import "google.golang.org/protobuf/reflect/protoreflect"

// ours are the fields that the ledger sets: no proposal changes them.
var ours = map[protoreflect.FullName]bool{
	"mulian.governance.v1.Member.since_ms": true, "mulian.governance.v1.Member.acted_ms": true,
	"mulian.governance.v1.RoleGrant.since_ms": true, "mulian.governance.v1.Suspension.since_ms": true,
	"mulian.governance.v1.Suspension.ended_ms": true,
}

// fields are the fields of what can be voted on. A test holds that each has its words.
var fields = map[string]Phrase{
	"Member.org": {"成员", "member"}, "Member.weight": {"表决权", "votes"},
	"RoleGrant.role": {"角色", "role"}, "RoleGrant.account": {"账户", "account"},
	"Validator.public_key": {"验证密钥", "validator key"}, "Validator.power": {"验证权重", "power"}, "Validator.org": {"运行机构", "run by"},
	"Validator.name": {"节点名", "node name"}, "Validator.sm2_key": {"SM2 密钥", "SM2 key"},
	"ClockProfile.name": {"时限方案", "clock profile"}, "ClockProfile.limits": {"时限", "clock"}, "ClockProfile.silence_is_consent": {"逾期视为同意", "silence is consent"},
	"ClockProfile.unstated_is_unconditional": {"未写条件视为无条件", "unstated is unconditional"}, "ClockProfile.source": {"来源", "source"},
	"ClockLimit.clock": {"时限", "clock"}, "ClockLimit.days": {"工作日", "working days"}, "ClockLimit.extension_days": {"可延长", "extension"},
	"CalendarYear.year": {"年份", "year"}, "CalendarYear.holidays": {"放假", "holidays"}, "CalendarYear.workdays": {"调休上班", "worked weekends"}, "CalendarYear.source": {"来源", "source"},

	"Parameters.clock_profile": {"生效时限方案", "clock profile in force"}, "Parameters.vote_percent": {"表决通过比例", "votes decide at"},
	"Parameters.vote_days": {"表决期限", "a vote lasts"}, "Parameters.tx_lifetime_seconds": {"交易最长有效期", "lifetime of a transaction"},
	"Parameters.max_tx_bytes": {"交易大小上限", "largest transaction"}, "Parameters.max_messages": {"一笔交易的操作上限", "messages of a transaction"},
	"Parameters.staleness_seconds": {"授权陈旧上限", "staleness"}, "Parameters.anchor_seconds": {"日志锚定间隔", "anchored every"},
	"Parameters.default_agreement_days": {"协议默认期限", "default term of an agreement"}, "Parameters.max_agreement_days": {"协议最长期限", "longest term of an agreement"},
	"Parameters.publish_needs_review": {"目录须经审核发布", "entries are reviewed"}, "Parameters.tx_per_minute": {"每账户每分钟交易数（0 不限）", "transactions of an account a minute (0 = any)"},
	"Parameters.passkey_origins": {"通行密钥来源", "origins of passkeys"}, "Parameters.thresholds": {"通过比例", "threshold"},
	"Parameters.suspension_percent": {"紧急停用比例（0 即 34 %）", "emergency share (0 = 34 %)"}, "Parameters.suspension_days": {"紧急停用时长（0 即 7 天）", "an emergency lasts (0 = 7 days)"},
	"Parameters.passkey_rp_ids":          {"通行密钥站点", "sites of passkeys"},
	"Parameters.absence_days":            {"失联公示期（0 即 90 天）", "silence that is absence (0 = 90 days)"},
	"Parameters.recovery_counter_hours":  {"窗口恢复锁定小时数（0 即 24）", "hours a recovery at a counter is locked (0 = 24)"},
	"Parameters.recovery_guardian_hours": {"亲友恢复锁定小时数（0 即 72）", "hours a recovery by friends is locked (0 = 72)"},
	"Parameters.recovery_code_hours":     {"恢复码恢复锁定小时数（0 即 168）", "hours a recovery by code is locked (0 = 168)"},
	"Parameters.recovery_open_hours":     {"恢复等待人数到齐的小时数（0 即 168）", "hours in which all have to vouch for a recovery (0 = 168)"},
	"Parameters.grant_cooling_seconds":   {"长期授权冷静期（0 即 600 秒）", "cooling of standing grants (0 = 600 s)"},
	"Parameters.grant_deletion_days":     {"撤回后删除期限（0 即 15 天）", "copies are deleted within, after a revocation (0 = 15 days)"},
	"Threshold.kind":                     {"事项", "kind"}, "Threshold.percent": {"比例", "share"},

	"Upgrade.name": {"升级", "upgrade"}, "Upgrade.height": {"生效高度", "from height"}, "Upgrade.protocol": {"规则版本", "protocol"},
	"Upgrade.notes": {"说明", "notes"}, "Upgrade.notes_sha256": {"说明的 SHA-256", "SHA-256 of the notes"},
	"Protocol.in_force": {"生效规则版本", "protocol in force"}, "Protocol.since_height": {"生效自高度", "since height"}, "Protocol.pending": {"待生效升级", "upgrade that waits"},
	"Suspension.account": {"停用账户", "suspended account"}, "Suspension.key": {"停用密钥", "suspended key"}, "Suspension.cause": {"原因", "cause"}, "Suspension.ends_ms": {"停用至", "suspended until"},
	"ValidatorRotation.old_key": {"旧密钥", "old key"}, "ValidatorRotation.new_key": {"新密钥", "new key"}, "ValidatorRotation.new_sm2_key": {"新 SM2 密钥", "new SM2 key"},
	"Admission.member": {"成员", "member"}, "Admission.validator": {"验证节点", "validator"},
}

// kinds are the kinds of change, as thresholds name them.
var kinds = map[string]Phrase{
	"admit_member": {"接纳成员或改其表决权", "admit a member or change its votes"}, "remove_member": {"移除成员", "remove a member"},
	"grant_role": {"授予角色", "give a role"}, "revoke_role": {"撤销角色", "take a role"}, "set_parameters": {"设定参数", "set parameters"},
	"set_clock_profile": {"设定时限方案", "set a clock profile"}, "set_calendar": {"设定工作日历", "set a calendar"},
	"set_validator": {"设定验证节点", "set a validator"}, "admit": {"接纳成员及其节点", "admit a member with its node"},
	"replace_validator_key": {"更换验证节点密钥", "replace a validator's key"}, "upgrade": {"升级", "upgrade"}, "cancel_upgrade": {"取消升级", "cancel an upgrade"},
	"suspend": {"紧急停用", "suspend in an emergency"}, "confirm_suspension": {"确认停用", "confirm a suspension"}, "lift_suspension": {"解除停用", "lift a suspension"},
	"remove_absent":          {"移除失联成员", "remove an absent member"},
	"register_foreign_chain": {"登记对端链", "register a foreign chain"}, "replace_foreign_root": {"更换对端链信任根", "replace a foreign chain's root"},
	"thaw_foreign_chain": {"解冻对端链", "thaw a foreign chain"}, "remove_foreign_chain": {"移除对端链", "remove a foreign chain"},
}

// enums are the roles and clocks in Chinese; English readers get the schema's own word.
var enums = map[protoreflect.Name]string{
	"ROLE_AUTHORITY": "主管部门", "ROLE_STAFFING_OFFICE": "编办", "ROLE_FINANCE_BUREAU": "财政", "ROLE_OPERATOR": "运维", "ROLE_AUDITOR": "审计", "ROLE_SECRECY_OFFICE": "保密审批机关",
	"ROLE_IDENTITY": "身份核验机构", "ROLE_REGISTRY": "登记机关", "ROLE_CUSTODIAN": "托管机构",
	"CLOCK_CATALOGUE_UPDATE": "目录更新", "CLOCK_CATALOGUE_REVIEW": "目录审核", "CLOCK_ANSWER_UNCONDITIONAL": "答复（无条件共享）", "CLOCK_ANSWER_CONDITIONAL": "答复（有条件共享）",
	"CLOCK_DELIVER": "提供数据", "CLOCK_CORRECTION": "校核", "CLOCK_COMPLETE": "补正", "CLOCK_DISPOSE": "销毁数据", "CLOCK_OBJECTION": "答复异议", "CLOCK_DISPUTE": "处理争议", "CLOCK_RECTIFY": "整改",
}

// OfKind is a kind of change in words; its own name if it has none.
func OfKind(kind string) Phrase {
	if p, ok := kinds[kind]; ok {
		return p
	}
	return Phrase{kind, kind}
}
