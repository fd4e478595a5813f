// The stages in the life of a datum, and to which of them an event belongs by its verb.
export const stages = ['duty', 'lock', 'drift', 'request', 'grant', 'consent', 'delivery', 'use', 'revoke', 'member', 'account', 'other'] as const
export type Stage = (typeof stages)[number]

const exact: Record<string, Stage> = {
  'catalogue/put_duties': 'duty', 'catalogue/report_drift': 'drift', 'catalogue/overdue': 'drift',
  'share/file_request': 'request', 'share/supplement': 'request', 'share/ask_more': 'request', 'share/urge_request': 'request', 'share/fan_out': 'request', 'share/withdraw_request': 'revoke',
  'share/answer': 'grant', 'share/confirm_agreement': 'grant', 'share/silence': 'grant', 'share/resume_agreement': 'grant', 'share/sign_amendment': 'grant',
  'share/start_delivery': 'delivery', 'share/complete_delivery': 'delivery', 'share/confirm_delivery': 'delivery', 'share/fail_delivery': 'delivery', 'share/serve': 'delivery',
  'share/record_use': 'use', 'share/file_feedback': 'use', 'share/file_disposal': 'use', 'trace/anchor_head': 'use',
  'share/end_agreement': 'revoke', 'share/suspend_agreement': 'revoke', 'share/expired': 'revoke',
  'grant/register_use': 'request', 'grant/request_data': 'request', 'grant/withdraw_data_request': 'revoke', 'grant/request_expired': 'revoke',
  'grant/give_grant': 'consent', 'grant/decline_request': 'consent', 'grant/pause_grant': 'revoke', 'grant/resume_grant': 'consent', 'grant/take_by_duty': 'grant',
  'grant/record_grant_use': 'use', 'grant/record_box_use': 'use', 'grant/close_grant_use': 'use', 'grant/revoke_grant': 'revoke', 'grant/void_grant': 'revoke', 'grant/expired': 'revoke',
  'credential/issue': 'delivery', 'credential/suspend': 'revoke', 'credential/revoke': 'revoke', 'evidence/anchor': 'lock',
}

// What is no stage of a datum: who belongs to the city, and who may sign for whom.
const areas: Record<string, Stage> = { governance: 'member', identity: 'account', mandate: 'account', recovery: 'account', custody: 'account', safebox: 'account' }

/** stageOf is the stage of an event. */
export function stageOf(verb: string): Stage {
  return exact[verb] ?? (verb.startsWith('catalogue/') ? 'lock' : verb.startsWith('grant/delet') || verb.startsWith('grant/attest') ? 'revoke' : areas[verb.split('/')[0]!] ?? 'other')
}
