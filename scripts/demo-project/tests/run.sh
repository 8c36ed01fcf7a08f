#!/bin/sh
# Every tests/cases/NAME.txt must have the number of words in NAME.words.
set -eu
cd "$(dirname "$0")/.."
for text in tests/cases/*.txt; do
    expected=$(cat "${text%.txt}.words")
    found=$(bin/tally < "$text" | awk '$1 == "words" { print $2 }')
    if [ "$found" != "$expected" ]; then
        echo "$text: expected $expected words, found $found" >&2
        exit 1
    fi
    echo "ok $text"
done
