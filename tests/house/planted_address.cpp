// Reads one element behind the end: AddressSanitizer must report it.
#include <cstdio>
#include <vector>

int main(int argc, char**) {
  const std::vector<float> row(8, 1.0F);
  std::printf("%g\n", static_cast<double>(row.data()[7 + argc]));
}
