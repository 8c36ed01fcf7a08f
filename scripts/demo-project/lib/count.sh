# Counting. Every function takes a text and prints a number.

count_lines() {
    printf '%s\n' "$1" | wc -l | tr -d ' '
}

count_words() {
    printf '%s' "$1" | wc -w | tr -d ' '
}
