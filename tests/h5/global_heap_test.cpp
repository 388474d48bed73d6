#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "h5/h5.h"

namespace attune {
namespace {

// HDF5 1.10 walks a collection by the sizes of its objects, and stays for good at one of size zero.
// Whichever byte of the heap is wrong, reading the text ends: with the text, or with an error.
TEST(GlobalHeap, ADamagedHeapEndsInAnErrorNotInALoop) {
  const auto path =
      (std::filesystem::temp_directory_path() / fmt::format("attune-heap-{}.h5", getpid()))
          .string();
  H5File good = H5File::create(path);
  good.root().set_attribute("schema", "attune.dataset@1");
  good.close();
  std::string bytes;
  {
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const std::size_t heap = bytes.find("GCOL");
  ASSERT_NE(heap, std::string::npos);
  int refused = 0;
  for (std::size_t at = heap; at < heap + 80; ++at) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 0xff);
    std::ofstream(path, std::ios::binary) << bad;
    try {
      H5File::open(path).root().text_attribute("schema");
    } catch (const DataError& error) {
      ++refused;
      EXPECT_THAT(error.what(), testing::HasSubstr(path));
    }
  }
  EXPECT_GT(refused, 10);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace attune
