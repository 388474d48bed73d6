// Ten ops as PyTorch computed them in double (tests/reference/record_ops.py), through the verb.
// scripts/parity compares hundreds of cases more, where PyTorch is.
#include <gtest/gtest.h>

#include <cmath>

#include "h5/h5.h"
#include "tests/process/process.h"

namespace attune {
namespace {

// The recorded input as a file of its own, in the types in which it was recorded.
void write_input(const H5Group& recorded, const std::string& path) {
  H5File file = H5File::create(path);
  for (const H5Entry& entry : recorded.entries()) {
    const H5Info info = recorded.info(entry.name);
    if (is_integer(info.type)) {
      const auto values = recorded.read<std::int32_t>(entry.name);
      file.root().write(entry.name, info.dims, values.data());
    } else {
      const auto values = recorded.read<float>(entry.name);
      file.root().write(entry.name, info.dims, values.data());
    }
  }
  file.close();
}

// Within 2e-5 of the largest value, as docs/parity.md has it; infinities agree.
void expect_close(const H5Group& got, const H5Group& want, const std::string& name) {
  ASSERT_EQ(got.info(name).dims, want.info(name).dims) << name;
  const auto ours = got.read<float>(name);
  const auto theirs = want.read<double>(name);
  double largest = 0;
  for (const double x : theirs)
    largest = std::isfinite(x) ? std::max(largest, std::fabs(x)) : largest;
  EXPECT_GT(largest, 0) << name << " is zero throughout";
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    const auto x = static_cast<double>(ours[i]);
    if (x == theirs[i]) continue;  // infinities, too
    EXPECT_LT(std::fabs(x - theirs[i]), 2e-5 * largest) << name << "[" << i << "]";
  }
}

TEST(OpsAsPyTorchComputedThem, AgreeForwardAndBackward) {
  const H5File recorded = H5File::open(ATTUNE_SOURCE_DIR "/tests/reference/ops.h5");
  const TestFolder folder;
  std::size_t n = 0;
  for (const H5Entry& entry : recorded.root().entries()) {
    SCOPED_TRACE(entry.name);
    const H5Group one = recorded.root().group(entry.name), want = one.group("out");
    write_input(one.group("in"), folder / "in.h5");
    std::vector<std::string> words = {"op", one.text_attribute("op"), folder / "in.h5", "-o",
                                      folder / "out.h5"};
    for (const std::string& option : one.text_list_attribute("options"))
      if (!option.empty()) words.push_back(option);
    const Finished run = run_attune(words);
    ASSERT_EQ(run.code, 0) << run.err;
    const H5File got = H5File::open(folder / "out.h5");
    const auto results = want.entries();
    EXPECT_EQ(got.root().entries().size(), results.size());
    for (const H5Entry& result : results) expect_close(got.root(), want, result.name);
    ++n;
  }
  EXPECT_EQ(n, 10U);
}

}  // namespace
}  // namespace attune
