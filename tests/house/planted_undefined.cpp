// Overflows a signed integer: UBSan must report it.
#include <cstdio>
#include <limits>

int main(int argc, char**) { std::printf("%d\n", std::numeric_limits<int>::max() - 1 + 2 * argc); }
