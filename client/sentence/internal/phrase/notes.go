package phrase

import "strings"

// notes are the words of events' notes: states, and what was done. What is not here is an id,
// a number or a version, and stays as it is.
var notes = map[string]string{
	"accepted": "已接受", "acknowledged": "已确认", "active": "生效", "amending": "变更中", "answered": "已答复", "applied": "已执行", "asked": "已提出",
	"attested": "已证明", "back": "已退回", "breaking": "不兼容", "cancelled": "已取消", "closed": "已关闭", "compatible": "兼容", "completed": "已办结",
	"confirmed": "已确认", "cooling": "冷静期", "copies": "副本", "corrected": "已更正", "decided": "已裁决", "declined": "已拒绝", "delivered": "已送达",
	"disposed": "已处置", "disposing": "处置中", "drifted": "已漂移", "due": "到期", "duty": "职责", "empty": "无结果", "ended": "已终止", "ending": "终止中",
	"erased": "已销毁", "executed": "已执行", "exempted": "已豁免", "exhausted": "已用尽", "expired": "已过期", "failed": "未成", "fanned_out": "已转告",
	"filed": "已备案", "frozen": "已冻结", "given": "已给出", "granted": "已授权", "held": "已搁置", "incomplete": "待补正", "issued": "已签发",
	"lapsed": "已失效", "lifted": "已解除", "locked": "已锁定", "made": "已产生", "not_me": "不是本人", "match_code_wrong": "配对码不符", "offered": "已提出",
	"open": "进行中", "ordered": "已责令", "overdue": "逾期", "partly_reimbursed": "部分报销", "paused": "已暂停", "proofing_level_basic": "一般强度", "proofing_level_high": "最高强度", "proofing_level_substantial": "较高强度", "proposed": "已提议", "published": "已发布",
	"received": "已收到", "recorded": "已记录", "rectifying": "整改中", "red_flush_pending": "待红冲", "red_flushed": "已红冲", "refused": "已拒绝",
	"registered": "已登记", "reimbursed": "已报销", "rejected": "已驳回", "released": "已放行", "removed": "已移除", "renewing": "续签中", "reported": "已上报",
	"requested": "已提出", "resumed": "已恢复", "retired": "已停用", "returned": "已退回", "review": "待复核", "revoked": "已撤销", "running": "进行中",
	"settled": "已处置", "signed": "已签名", "source": "来源已变", "stale": "未更新", "started": "已开始", "submitted": "已提交", "superseded": "已被取代",
	"supervised": "已监制", "suspended": "已中止", "terminated": "已解除", "told": "已告知", "undone": "已撤回", "updating": "更新中", "valid": "有效",
	"vetoed": "已否决", "voided": "已作废", "vouched": "已见证", "withdrawn": "已撤回",
}

// Note is an event's note in Chinese, word by word.
func Note(note string) string {
	words := strings.Split(note, " ")
	for i, w := range words {
		if zh, ok := notes[strings.ToLower(w)]; ok {
			words[i] = zh
		}
	}
	return strings.Join(words, " ")
}
