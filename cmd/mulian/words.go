package main

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// words are the states and kinds of the schema as Chinese readers know them
// (docs/words.md). English readers get the schema's own word in lower case. A test
// holds that every value that a command shows is here.
var words = map[protoreflect.Name]string{
	"ACCOUNT_STATE_ACTIVE": "正常", "ACCOUNT_STATE_SUSPENDED": "已停用", "ACCOUNT_STATE_CLOSED": "已注销",
	"KEY_STATE_ACTIVE": "有效", "KEY_STATE_REVOKED": "已吊销",
	"KEY_LEVEL_MACHINE": "机器", "KEY_LEVEL_OFFICER": "经办", "KEY_LEVEL_ROOT": "根",
	"KEY_ALGORITHM_SM2": "SM2", "KEY_ALGORITHM_P256": "P-256", "KEY_ALGORITHM_ED25519": "Ed25519", "KEY_ALGORITHM_WEBAUTHN": "通行密钥",

	"ENTRY_STATE_SUBMITTED": "待审核", "ENTRY_STATE_RETURNED": "已退回", "ENTRY_STATE_PUBLISHED": "已发布", "ENTRY_STATE_UPDATING": "更新中",
	"ENTRY_STATE_DRIFTED": "已漂移", "ENTRY_STATE_SUSPENDED": "已暂停", "ENTRY_STATE_WITHDRAWN": "已撤销",
	"ITEM_STATE_REVIEW": "待核查", "ITEM_STATE_FROZEN": "已冻结",
	"SHARE_TYPE_UNCONDITIONAL": "无条件共享", "SHARE_TYPE_CONDITIONAL": "有条件共享", "SHARE_TYPE_DENIED": "不予共享",
	"UPDATE_CYCLE_REALTIME": "实时", "UPDATE_CYCLE_DAILY": "每日", "UPDATE_CYCLE_WEEKLY": "每周", "UPDATE_CYCLE_MONTHLY": "每月", "UPDATE_CYCLE_QUARTERLY": "每季度",
	"UPDATE_CYCLE_HALF_YEARLY": "每半年", "UPDATE_CYCLE_YEARLY": "每年", "UPDATE_CYCLE_IRREGULAR": "不定期", "UPDATE_CYCLE_HISTORICAL": "历史数据，不再更新",
	"FORMAT_STRUCTURED": "结构化", "FORMAT_TABLE": "库表", "FORMAT_UNSTRUCTURED": "非结构化", "FORMAT_FILE": "文件", "FORMAT_FOLDER": "文件夹", "FORMAT_API": "接口", "FORMAT_LINK": "链接",
	"GRADE_GENERAL_1": "一般1级", "GRADE_GENERAL_2": "一般2级", "GRADE_GENERAL_3": "一般3级", "GRADE_GENERAL_4": "一般4级", "GRADE_IMPORTANT": "重要", "GRADE_CORE": "核心",
	"HIT_KIND_ENTRY": "目录", "HIT_KIND_DUTY": "职责", "HIT_KIND_ITEM": "信息项", "HIT_KIND_TABLE": "库表", "HIT_KIND_MATTER": "事项", "HIT_KIND_SYSTEM": "系统", "HIT_KIND_CODE": "代码",
	"DRIFT_CLASS_COMPATIBLE": "兼容", "DRIFT_CLASS_REVIEW": "需核查", "DRIFT_CLASS_BREAKING": "破坏性", "DRIFT_CLASS_STALE": "数据过旧",
	"SETTLEMENT_UPDATED": "目录已更新", "SETTLEMENT_ROLLED_BACK": "库表已回滚", "SETTLEMENT_FALSE_ALARM": "误报",

	"REQUEST_STATE_RECEIVED": "待答复", "REQUEST_STATE_INCOMPLETE": "待补正", "REQUEST_STATE_ACCEPTED": "已同意", "REQUEST_STATE_REFUSED": "已拒绝", "REQUEST_STATE_WITHDRAWN": "已撤回",
	"AGREEMENT_STATE_OFFERED": "待确认", "AGREEMENT_STATE_ACTIVE": "生效", "AGREEMENT_STATE_SUSPENDED": "已中止", "AGREEMENT_STATE_ENDED": "已终止",
	"AGREEMENT_STATE_AMENDING": "变更中", "AGREEMENT_STATE_RENEWING": "续期中", "AGREEMENT_STATE_RECTIFYING": "整改中", "AGREEMENT_STATE_ENDING": "即将终止",
	"AGREEMENT_STATE_DISPOSING": "待销毁", "AGREEMENT_STATE_DISPOSED": "已销毁",
	"AMENDMENT_KIND_TERMS": "变更", "AMENDMENT_KIND_RENEWAL": "续期",
	"AMENDMENT_STATE_OPEN": "待签署", "AMENDMENT_STATE_SIGNED": "已签署", "AMENDMENT_STATE_DECLINED": "未同意", "AMENDMENT_STATE_WITHDRAWN": "已撤回", "AMENDMENT_STATE_LAPSED": "已失效",
	"VIOLATION_STATE_OPEN": "待整改", "VIOLATION_STATE_REPORTED": "待复核", "VIOLATION_STATE_ACCEPTED": "已整改", "VIOLATION_STATE_TERMINATED": "已终止协议", "VIOLATION_STATE_LAPSED": "已失效",
	"DISPOSAL_METHOD_DELETED": "删除（含备份）", "DISPOSAL_METHOD_OVERWRITTEN": "覆写", "DISPOSAL_METHOD_MEDIUM": "销毁介质", "DISPOSAL_METHOD_KEY": "销毁密钥", "DISPOSAL_METHOD_NONE_KEPT": "未留存",
	"CORRECTION_STATE_FILED": "待受理", "CORRECTION_STATE_ACKNOWLEDGED": "核实中", "CORRECTION_STATE_CONFIRMED": "属实待更正", "CORRECTION_STATE_REJECTED": "不予采纳",
	"CORRECTION_STATE_CORRECTED": "已更正", "CORRECTION_STATE_FANNED_OUT": "已通知持有方", "CORRECTION_STATE_CLOSED": "已办结",
	"OBJECTION_KIND_CATALOGUE": "目录纠错", "OBJECTION_KIND_APPLICATION": "申请异议", "OBJECTION_KIND_USE": "使用异议", "OBJECTION_KIND_OTHER": "其他",
	"OBJECTION_STATE_FILED": "待答复", "OBJECTION_STATE_ANSWERED": "已答复", "OBJECTION_STATE_CLOSED": "已办结",
	"DISPUTE_LEVEL_NEGOTIATE": "协商", "DISPUTE_LEVEL_AUTHORITY": "主管部门", "DISPUTE_LEVEL_COMMON_SUPERIOR": "共同上级主管部门", "DISPUTE_LEVEL_GOVERNMENT": "人民政府",
	"DISPUTE_STATE_OPEN": "处理中", "DISPUTE_STATE_DECIDED": "已有处理意见", "DISPUTE_STATE_SETTLED": "已了结", "DISPUTE_STATE_WITHDRAWN": "已撤回",
	"DELIVERY_STATE_STARTED": "交付中", "DELIVERY_STATE_COMPLETED": "已交付", "DELIVERY_STATE_CONFIRMED": "已确认", "DELIVERY_STATE_FAILED": "失败",
	"CLOCK_CATALOGUE_UPDATE": "目录更新", "CLOCK_CATALOGUE_REVIEW": "目录审核", "CLOCK_ANSWER_UNCONDITIONAL": "答复（无条件共享）", "CLOCK_ANSWER_CONDITIONAL": "答复（有条件共享）",
	"ROLE_AUTHORITY": "主管部门", "ROLE_STAFFING_OFFICE": "编办", "ROLE_FINANCE_BUREAU": "财政", "ROLE_OPERATOR": "运维", "ROLE_AUDITOR": "审计", "ROLE_SECRECY_OFFICE": "保密审批机关", "ROLE_IDENTITY": "身份核验机构", "ROLE_REGISTRY": "登记机关",
	"WRONG_DOUBLE_SIGN": "重复签名", "WRONG_LIGHT_CLIENT_ATTACK": "伪造区块头",
	"CONSEQUENCE_REMOVED": "已按规则移出", "CONSEQUENCE_KEPT": "份额达三分之一，待表决", "CONSEQUENCE_GONE": "此前已不是验证节点",
	"FOREIGN_STATE_ACTIVE": "跟进中", "FOREIGN_STATE_FROZEN": "已冻结", "FOREIGN_STATE_REMOVED": "已移除", "TRUST_LEVEL_ONE_THIRD": "三分之一", "TRUST_LEVEL_TWO_THIRDS": "三分之二",
	"E_RECEIPT_STATE_ISSUED": "已开具待监制", "E_RECEIPT_STATE_SUPERVISED": "已监制", "E_RECEIPT_STATE_DELIVERED": "已交付", "E_RECEIPT_STATE_LOCKED": "已锁定",
	"E_RECEIPT_STATE_PARTLY_REIMBURSED": "部分报销", "E_RECEIPT_STATE_REIMBURSED": "已报销", "E_RECEIPT_STATE_RED_FLUSH_PENDING": "冲红待退款", "E_RECEIPT_STATE_RED_FLUSHED": "已冲红",
	"REFERENCE_KIND_ENTRY": "目录", "REFERENCE_KIND_AGREEMENT": "协议", "REFERENCE_KIND_ACCOUNT": "账户",
	"PROPOSAL_STATE_OPEN": "表决中", "PROPOSAL_STATE_ACCEPTED": "已通过", "PROPOSAL_STATE_REJECTED": "未通过", "PROPOSAL_STATE_EXPIRED": "已过期", "PROPOSAL_STATE_WITHDRAWN": "已撤回",
	"FINDING_KIND_NO_DUTY": "没有职责", "FINDING_KIND_NO_TABLE": "没有库表", "FINDING_KIND_NO_OWNER": "数源不明", "FINDING_KIND_STALE": "过期未更新", "FINDING_KIND_DUPLICATE": "疑似重复采集",
	"FINDING_KIND_PERSONAL_NO_BASIS": "个人信息无依据", "FINDING_KIND_UNMAPPED_ITEM": "信息项未对应字段", "FINDING_KIND_NO_ITEMS": "没有信息项", "FINDING_KIND_NO_ABSTRACT": "没有摘要",
	"FINDING_KIND_UNKNOWN_CODE_TABLE": "代码表未登记", "FINDING_KIND_DRIFTED": "库表漂移未处理",
	"CLOCK_DELIVER": "提供数据", "CLOCK_CORRECTION": "校核", "CLOCK_COMPLETE": "补正",
	"CLOCK_DISPOSE": "销毁数据", "CLOCK_OBJECTION": "答复异议", "CLOCK_DISPUTE": "处理争议", "CLOCK_RECTIFY": "整改",
}

// word shows an enum's value in the person's language; "" for unspecified.
func (a *app) word(e protoreflect.Enum) string {
	v := e.Descriptor().Values().ByNumber(e.Number())
	if v == nil {
		return "?"
	}
	if e.Number() == 0 {
		return ""
	}
	if text := words[v.Name()]; text != "" {
		return a.t(text, plain(v))
	}
	return plain(v)
}

// plain shortens a value's name: "REQUEST_STATE_RECEIVED" is "received".
func plain(v protoreflect.EnumValueDescriptor) string {
	zero := v.Parent().(protoreflect.EnumDescriptor).Values().ByNumber(0)
	prefix := strings.TrimSuffix(string(zero.Name()), "UNSPECIFIED")
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(string(v.Name()), prefix)), "_", " ")
}
