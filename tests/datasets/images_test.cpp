#include "datasets/images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/philox.h"
#include "datasets/batch.h"
#include "datasets/dataset_file.h"

namespace attune {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Sixty images of random size and gray, in twenty groups of three, two classes.
class ImagesTest : public testing::Test {
 protected:
  ImagesTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / fmt::format("attune-images-{}-{}", test->name(), getpid());
    fs::create_directories(folder_);
    options_.file = (folder_ / "data.h5").string();
  }
  ~ImagesTest() override { fs::remove_all(folder_); }

  void write(PixelType type, const std::vector<std::string>& class_names = {"a", "b"}) const {
    const Stream stream(1, "test", "images");
    ImageTable table;
    table.pixel_type = type;
    table.class_names = class_names;
    for (std::uint64_t i = 0; i < 60; ++i) {
      table.height.push_back(static_cast<std::int32_t>(5 + stream.below(60, i, 0)));
      table.width.push_back(static_cast<std::int32_t>(5 + stream.below(60, i, 1)));
      table.group.push_back(static_cast<std::int32_t>(i / 3));
      table.label.push_back(static_cast<std::int32_t>(i / 3 % 2));
    }
    DatasetFileWriter writer(*options_.file, table);
    for (Index i = 0; i < table.size(); ++i) {
      const auto n = static_cast<std::size_t>(table.n_pixels(i));
      std::vector<float> gray(n);
      for (std::size_t p = 0; p < n; ++p)
        gray[p] = static_cast<float>(stream.below(256, p, static_cast<std::uint32_t>(i), 2));
      if (type == PixelType::float32) {
        for (float& x : gray) x = 3 * x - 1000;  // as physical units may be
        writer.append(View<const float>(gray.data(), {table.n_pixels(i)}));
      } else {
        std::vector<std::uint8_t> bytes(gray.begin(), gray.end());
        writer.append(View<const std::uint8_t>(bytes.data(), {table.n_pixels(i)}));
      }
    }
    writer.finish();
  }

  fs::path folder_;
  ImagesOptions options_;
};

TEST_F(ImagesTest, PatchesAreTheFilesPixelsWhereNothingIsResized) {
  write(PixelType::uint8);
  const auto data = options_.open({.patch = 1, .seed = 0});
  const DatasetFile file(*options_.file);
  const Example e = data->example(Split::test, 0);
  EXPECT_EQ(e.rows, file.table().height[static_cast<std::size_t>(e.id)]);
  EXPECT_EQ(e.cols, file.table().width[static_cast<std::size_t>(e.id)]);
  std::vector<float> pixels(static_cast<std::size_t>(e.n_tokens())), patches = pixels;
  file.read_pixels(e.id, pixels.data());
  data->images()->write_patches(Split::test, 0, patches.data());
  for (std::size_t p = 0; p < pixels.size(); ++p)
    EXPECT_NEAR(patches[p], (pixels[p] / 255 - 0.5F) / 0.25F, 1e-6F);
}

TEST_F(ImagesTest, AnImageBeforeResizingIsWhatTheFileHolds) {
  write(PixelType::float32);
  const auto data = options_.open({.patch = 16, .seed = 0});
  const DatasetFile file(*options_.file);
  for (const Split split : kSplits) {
    const Index i = data->n_examples(split) - 1, id = data->example(split, i).id;
    const ImageSize size = data->images()->image_size(split, i);
    EXPECT_EQ(size.height, file.table().height[static_cast<std::size_t>(id)]);
    EXPECT_EQ(size.width, file.table().width[static_cast<std::size_t>(id)]);
    std::vector<float> stored(static_cast<std::size_t>(size.height * size.width)), read = stored;
    file.read_pixels(id, stored.data());
    data->images()->read_image(split, i, View<float>(read.data(), {size.height, size.width}));
    EXPECT_EQ(read, stored);
  }
}

TEST_F(ImagesTest, UnboundedGraysAreStandardisedOverTheTrainingPixels) {
  write(PixelType::float32);
  const auto data = options_.open({.patch = 1, .seed = 0});
  double sum = 0, squares = 0, count = 0;
  for (Index i = 0; i < data->n_examples(Split::train); ++i) {
    std::vector<float> x(static_cast<std::size_t>(data->example(Split::train, i).n_tokens()));
    data->images()->write_patches(Split::train, i, x.data());
    for (float v : x) {
      sum += v;
      squares += static_cast<double>(v) * v;
      ++count;
    }
  }
  EXPECT_NEAR(sum / count, 0, 1e-4);
  EXPECT_NEAR(squares / count, 1, 1e-4);
}

// What was hashed when a study was planned is what its trials read, whatever becomes of the file.
TEST_F(ImagesTest, OptionsReadTheFileAsTheyFirstOpenedIt) {
  write(PixelType::uint8);
  const std::string planned = options_.open({.patch = 4, .seed = 0})->sha256();
  write(PixelType::float32);
  EXPECT_EQ(options_.open({.patch = 4, .seed = 1})->sha256(), planned);
}

TEST_F(ImagesTest, TheRunsSeedMovesNothing) {
  write(PixelType::uint8);
  const auto a = options_.open({.patch = 8, .seed = 0}), b = options_.open({.patch = 8, .seed = 9});
  for (Split split : kSplits) {
    ASSERT_EQ(a->n_examples(split), b->n_examples(split));
    for (Index i = 0; i < a->n_examples(split); ++i)
      EXPECT_EQ(a->example(split, i).id, b->example(split, i).id);
  }
  EXPECT_EQ(a->sha256(), b->sha256());
}

TEST_F(ImagesTest, MaxTokensHoldsForEveryImage) {
  write(PixelType::uint8);
  options_.resize.max_tokens = 12;
  const auto data = options_.open({.patch = 8, .seed = 0});
  for (Split split : kSplits)
    for (const Index n : data->lengths(split)) EXPECT_LE(n, 12);
}

std::vector<float> patches_of(const Dataset& data, Split split, Index i) {
  std::vector<float> patches(static_cast<std::size_t>(
      data.example(split, i).n_tokens() * data.images()->patch() * data.images()->patch()));
  data.images()->write_patches(split, i, patches.data());
  return patches;
}

// Pad's borders of float32 images are the image's darkest gray, of bytes 0.
TEST_F(ImagesTest, PaddingIsBlack) {
  options_.resize.policy = ResizeOptions::Policy::pad;
  options_.resize.max_tokens = 1024;
  for (const PixelType type : {PixelType::uint8, PixelType::float32}) {
    write(type);
    const ImagesOptions fresh = options_;  // options read the file as they first opened it
    const auto data = fresh.open({.patch = 1, .seed = 0});
    const DatasetFile file(*options_.file);
    for (Index i = 0; i < data->n_examples(Split::val); ++i) {
      const Example e = data->example(Split::val, i);
      const auto id = static_cast<std::size_t>(e.id);
      const Index h = file.table().height[id], w = file.table().width[id];
      if (std::max(h, w) < 2 * std::min(h, w)) continue;
      std::vector<float> pixels(static_cast<std::size_t>(h * w));
      file.read_pixels(e.id, pixels.data());
      const float darkest = *std::min_element(pixels.begin(), pixels.end());
      const GrayLaw law = data->images()->gray().value_or(GrayLaw{127.5, 63.75});
      const double black = type == PixelType::uint8 ? 0 : static_cast<double>(darkest);
      EXPECT_NEAR(patches_of(*data, Split::val, i).front(), (black - law.mean) / law.sd, 1e-5);
    }
  }
}

// For a model that was trained on them its own images are the same bytes when they come again.
TEST_F(ImagesTest, AsOtherDataTheOwnFileGivesTheSamePatches) {
  for (const PixelType type : {PixelType::uint8, PixelType::float32}) {
    write(type);
    options_.resize.max_tokens = 12;
    const ImagesOptions fresh = options_;
    const auto own = fresh.open({.patch = 4, .seed = 0});
    EXPECT_EQ(own->images()->gray().has_value(), type == PixelType::float32);
    const auto other =
        options_.open_other(*options_.file, 4, {own->class_names(), own->images()->gray()});
    ASSERT_EQ(other->n_examples(Split::test), 60);
    EXPECT_EQ(other->n_examples(Split::train) + other->n_examples(Split::val), 0);
    for (const Split split : kSplits)
      for (Index i = 0; i < own->n_examples(split); ++i) {
        const Example e = own->example(split, i), again = other->example(Split::test, e.id);
        EXPECT_EQ(e.label, again.label);
        EXPECT_EQ(e.group, again.group);
        EXPECT_EQ(patches_of(*own, split, i), patches_of(*other, Split::test, e.id));
      }
  }
}

TEST_F(ImagesTest, OtherDatasLabelsAreFoundByTheNamesOfTheClasses) {
  write(PixelType::uint8, {"b", "c"});
  const DatasetFile file(*options_.file);
  const auto other = options_.open_other(*options_.file, 4, {{"a", "b", "c", "d"}, {}});
  EXPECT_EQ(other->n_classes(), 4);
  for (Index i = 0; i < 60; ++i)
    EXPECT_EQ(other->example(Split::test, i).label,
              file.table().label[static_cast<std::size_t>(i)] + 1);
}

TEST_F(ImagesTest, OtherDataThatAModelCannotReadIsRefused) {
  const auto message = [&](const TrainedOn& trained) -> std::string {
    try {
      options_.open_other(*options_.file, 4, trained);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  write(PixelType::uint8, {"benign", "b"});
  EXPECT_THAT(message({{"a", "b"}, {}}), HasSubstr("images of benign"));
  EXPECT_THAT(message({{"benign", "b"}, GrayLaw{0, 1}}), HasSubstr("uint8"));
  // A class that no image has is no obstacle.
  write(PixelType::uint8, {"a", "b", "unused"});
  EXPECT_EQ(message({{"a", "b"}, {}}), "");
}

TEST_F(ImagesTest, AMissingFileSaysWhichCommandMakesIt) {
  const auto message = [&](const char* file) -> std::string {
    options_.file = file;
    try {
      options_.open({.patch = 8, .seed = 0});
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(message("/nowhere/ct_covid.h5"), HasSubstr("scripts/fetch_data ct-covid"));
  EXPECT_THAT(message("/nowhere/mine.h5"), HasSubstr("attune import SOURCE"));
}

TEST(DataConfig, EveryKindHasOptionsAndOpens) {
  DataConfig config;
  const auto alternatives = config.alternatives();
  ASSERT_EQ(alternatives.size(), data_kinds().size());
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    EXPECT_EQ(alternatives[i].kind, data_kinds()[i].name);
    EXPECT_FALSE(alternatives[i].doc.empty());
    EXPECT_FALSE(alternatives[i].fields->entries().empty());
  }
  EXPECT_THROW(config.open({.patch = 8, .seed = 0}), ConfigError);  // none is the default
  config.kind = "phantoms";
  EXPECT_EQ(config.open({.patch = 8, .seed = 0})->n_classes(), 2);
  config.kind = "videos";
  EXPECT_THROW(config.open({.patch = 8, .seed = 0}), ConfigError);
}

}  // namespace
}  // namespace attune
