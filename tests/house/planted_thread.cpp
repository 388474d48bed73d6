// Two threads add to one sum: ThreadSanitizer must report it.
#include <cstdio>
#include <thread>

int main() {
  double sum = 0;
  std::thread other([&sum] { sum += 1; });
  sum += 2;
  other.join();
  std::printf("%g\n", sum);
}
