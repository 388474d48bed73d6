#pragma once

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"

namespace attune {

// Runs `work` in a child process and takes the bytes that it returns. Decoders abort, crash or loop
// on damaged files and write to the terminal as they please: all of that stays in the child, and
// comes back as a DataError about `path`. So does a DataError that work throws, and an answer of
// another size than `expected`.
void run_in_child(const std::string& path,
                  const std::function<std::pair<const void*, std::size_t>()>& work, void* out,
                  std::size_t expected);

// The same for `count` elements, which work puts into a vector.
template <class T, class Work>
void in_child(const std::string& path, std::vector<T>& out, std::size_t count, const Work& work) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.resize(count);
  std::vector<T> made;
  run_in_child(
      path,
      [&]() -> std::pair<const void*, std::size_t> {
        work(made);
        return {made.data(), made.size() * sizeof(T)};
      },
      out.data(), count * sizeof(T));
}

}  // namespace attune
