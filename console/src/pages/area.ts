// An area is a folder of pages with its words: pages/<id>/{area.ts, *.tsx, zh-CN.json,
// en-US.json}. area.ts exports `area`; nothing else has to know of it.
import type { UseQueryOptions } from '@tanstack/react-query'
import type { ComponentType } from 'react'
import type { Signer } from '@/chain/keys'

/** Role is what somebody's pages are: that of the seat that he has taken. */
export type Role = 'operator' | 'steward' | 'user' | 'auditor' | 'clerk' | 'developer' | 'identity' | 'identity2'

export interface MenuItem {
  path: string
  label: string // key in the area's words, begins with menu: these come with the frame
  icon: ComponentType
  order: number // 10, 20, ... in the menu
  roles?: Role[] // who sees it; none = everybody, signed in or not
  count?: (s: Signer) => UseQueryOptions<number> // a badge: how many wait; the page shows the same list
  letter?: string // g and this letter go there
}

export interface PageRoute {
  path: string // "/request/$id"
  page: () => Promise<{ default: ComponentType }>
  bare?: boolean // without the frame: the page fills the screen
}

export interface Area {
  id: string // folder and namespace of its words
  menu?: MenuItem[]
  homes?: Partial<Record<Role, string>> // where `/` leads who has that seat
  pages: PageRoute[]
}
