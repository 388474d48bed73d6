#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "import/decode.h"
#include "tests/import/image_files.h"
#include "tests/import/test_folder.h"

namespace attune {

// Decodes files of given bytes.
class DecodeTest : public testing::Test {
 protected:
  // Everything that a file of these bytes decodes to.
  std::vector<Slice> decode(const std::string& bytes, const std::string& name = "image") {
    const std::string path = folder_ / name;
    write_file(path, bytes);
    header_ = read_header(path);
    std::vector<Slice> slices;
    read_slices(path, header_, [&](Slice& slice) { slices.push_back(slice); });
    EXPECT_EQ(static_cast<Index>(slices.size()), header_.n_slices);
    return slices;
  }
  std::vector<float> gray(const std::string& bytes) { return decode(bytes).at(0).gray; }
  std::string refusal(const std::string& bytes) {
    try {
      decode(bytes, "refused");
    } catch (const DataError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(folder_ / "refused"));
      return error.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return "";
  }

  TestFolder folder_;
  FileHeader header_;
};

}  // namespace attune
