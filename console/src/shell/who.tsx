// Who acts on these pages: the signers of this browser, and the current one.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from 'react'
import type { GetConsoleResponse } from '@/gen/mulian/console/v1/query_pb'
import { choose, chosen, forget, keep, type Signer, signers } from '@/chain/keys'
import { readAs } from '@/chain/rpc'

export interface Who {
  here: GetConsoleResponse // chain, build, demo
  signer?: Signer
  all: Signer[]
  use: (account: string) => void
  add: (s: Signer) => Promise<void>
  drop: (account: string) => Promise<void>
}

const Context = createContext<Who | undefined>(undefined)

/** useWho is the current signer, and what can be done about it. */
export function useWho(): Who {
  const w = useContext(Context)
  if (!w) throw new Error('no WhoProvider above')
  return w
}

export function WhoProvider({ here, children }: { here: GetConsoleResponse; children: ReactNode }) {
  const client = useQueryClient()
  const [account, setAccount] = useState(chosen())
  const list = useQuery({ queryKey: ['signers'], queryFn: () => signers(here.chainId), staleTime: Infinity })
  const who = useMemo<Who>(() => {
    const all = list.data ?? []
    return {
      here, all, signer: all.find((s) => s.account === account),
      use: (a) => { choose(a); setAccount(a) },
      add: async (s) => {
        await keep(s)
        await client.invalidateQueries({ queryKey: ['signers'] })
        setAccount(s.account)
      },
      drop: async (a) => {
        await forget(a)
        await client.invalidateQueries({ queryKey: ['signers'] })
      },
    }
  }, [here, list.data, account, client])
  const reader = useRef(account)
  useEffect(() => {
    if (reader.current === account) return
    reader.current = account // what the one before could read is not for this one
    void client.resetQueries({ predicate: (q) => typeof q.queryKey[0] === 'string' && q.queryKey[0].includes('/') })
  }, [account, client])
  if (list.isPending) return null
  readAs(who.signer) // before the pages below ask
  return <Context value={who}>{children}</Context>
}
