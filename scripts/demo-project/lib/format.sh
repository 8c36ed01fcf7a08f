# Printing. A row is a name and a number.

format_row() {
    printf '%s %s\n' "$1" "$2"
}
