#!/usr/bin/env bash
# The fifth organisation comes on board of `mulian net up -n 4`: it joins, is voted in, its
# node has the chain, and its gateway answers another member's question. The story
# cmd/mulian/testdata/script/fifth.txtar runs this file with the real binary. In production
# each part is another person's, on another machine: join.md tells whose.
#
#   NET                 folder of the network (.mulian/net), which runs
#   ORG, NAME, HOME5    code and name of the newcomer, and the home that it will have
#   TABLE               its database, sqlite:FILE, with a table permit(permit_no, area, ...)
#   NODE, DOOR, TAP     free addresses, host:port: of its node, of both gateways
set -euo pipefail
: "${NET:=.mulian/net}" "${HOME5:=./fifth}" "${ORG:?}" "${NAME:?}" "${TABLE:?}" "${NODE:?}" "${DOOR:?}" "${TAP:?}"
export MULIAN_YES=1
SECONDS=0
running=()
trap 'kill "${running[@]}" 2>/dev/null || true; wait || true' EXIT

at() { # HOME COMMAND...: as the organisation of that home
  local home=$1
  shift
  mulian "$@" --home "$home" --quiet
}
field() { grep -o "\"$1\": *\"[^\"]*\"" | head -1 | sed 's/.*: *"//; s/"$//'; }        # of an answer in JSON
made() { grep -o '"[0-9a-f]\{16\}"' | head -1 | tr -d '"'; }                            # the id of what was made
code() { basename "$1"/keys/*.root.key .root.key; }                                     # of a home's organisation
shown() { # WORD COMMAND...: waits until what the command prints has the word, at most a minute
  local word=$1 end=$((SECONDS + 60)) text
  shift
  while [ "$SECONDS" -lt "$end" ]; do
    text=$("$@" 2>/dev/null) || true
    if grep -q -- "$word" <<<"$text"; then return 0; fi
    sleep 0.1
  done
  echo "$word did not come: $*" >&2
  return 1
}

one=$NET/member1 two=$NET/member2 three=$NET/member3
authority=$(code "$one") second=$(code "$two") third=$(code "$three")
genesis=$(at "$one" status --json | field genesis)
via=$(cat "$one/server.url")

# The newcomer: keys, the chain, and its application. It goes on as the member's node.
mulian join "$ORG" --name "$NAME" --via "$via" --genesis "$genesis" --node-listen "$NODE" --home "$HOME5" --quiet &
running+=($!)

# The authority compares the fingerprint with the newcomer's, registers it and proposes it.
shown "$ORG" at "$one" org applications
key=$(at "$one" org applications --json | field root_key)
at "$one" org admit "$ORG" --root-key "$key" --as "$authority"

# The members: with the authority's own vote three of four.
proposal=$(at "$one" gov list --open --json | field id)
at "$two" gov vote "$proposal" --for --as "$second#root"
at "$three" gov vote "$proposal" --for --as "$third#root"
shown "v-.*$ORG" at "$HOME5" gov show
echo "on board after $SECONDS s"

# Its gateway, over its own database; and that of the member who will ask.
at "$HOME5" gateway init main --name 新成员网关 --listen "$DOOR" --as "$ORG"
at "$HOME5" source add permits "$TABLE" --gateway "$ORG/g/main"
mulian gateway run "$ORG/g/main" --home "$HOME5" --quiet &
running+=($!)
at "$two" gateway init main --name 请求方网关 --listen "$TAP" --as "$second"
mulian gateway run "$second/g/main" --home "$two" --quiet &
running+=($!)
shown "$ORG/g/main:permits.permit" at "$HOME5" source list

# A duty on each side, an entry, an agreement on a yes or no, and the question.
head='职权名称,职权编号,职权类别,设定依据,实施主体'
asker=$(at "$two" org show "$second" --json | field name)
printf '%s\n核发许可,F-1,行政许可,《城乡规划法》第四十条,%s\n' "$head" "$NAME" >"$HOME5/duties.csv"
printf '%s\n核验许可,S-1,行政许可,《水法》第四十八条,%s\n' "$head" "$asker" >"$HOME5/asker.csv"
at "$HOME5" catalogue import "$HOME5/duties.csv" --as "$ORG"
at "$two" catalogue import "$HOME5/asker.csv" --as "$second"
at "$HOME5" source file "$ORG/g/main:permits.permit" --id permits --name 许可证 --duty "$ORG:F-1" --as "$ORG"
request=$(at "$two" share apply "$ORG:permits" --purpose 现场核验 --items permit_no,area --duty "$second:S-1" \
  --predicate 'larger(least:integer): area > least' --as "$second" --json | made)
agreement=$(at "$HOME5" share answer "$request" --accept --as "$ORG" --json | made)
at "$two" share confirm "$agreement" --as "$second"
shown '^yes' at "$two" share ask "$agreement" --predicate larger --set least=0 --where permit_no=P000007 --as "$second"
echo "served after $SECONDS s"
