# Every routine is a script; `just` only knows their names.

default: test lint

test *args:
    scripts/test {{args}}

lint:
    scripts/lint

deny:
    scripts/deny

demo:
    scripts/demo

bench *args:
    scripts/bench {{args}}

soak *args:
    scripts/soak {{args}}

ci:
    .ci/run
