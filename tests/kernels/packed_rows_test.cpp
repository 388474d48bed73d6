#include "kernels/packed_rows.h"

#include <gmock/gmock.h>

#include "tests/reference/kernel_checks.h"

namespace attune::kernels {
namespace {

using testing::Array;
using testing::Ids;
using testing::in;
using testing::same_bits;

std::string offsets_error(const Ids& offsets, Index n_rows) {
  try {
    check_offsets("pool", offsets.view(), n_rows);
  } catch (const ShapeError& e) {
    return e.what();
  }
  return "";
}

TEST(PackedRows, OffsetsThatDoNotBoundTheRowsAreNamed) {
  using ::testing::HasSubstr;
  EXPECT_EQ(offsets_error(testing::ids({0}), 0), "");
  EXPECT_EQ(offsets_error(testing::ids({0, 0, 4, 4}), 4), "");
  EXPECT_THAT(offsets_error(testing::ids({1, 4}), 4), HasSubstr("offsets[0] is 1"));
  EXPECT_THAT(offsets_error(testing::ids({0, 3, 2, 4}), 4), HasSubstr("offsets[1] is 3"));
  EXPECT_THAT(offsets_error(testing::ids({0, 3}), 4), HasSubstr("end at 3, but there are 4 rows"));
  EXPECT_THAT(offsets_error(testing::ids({}), 0), HasSubstr("[examples + 1]"));
}

TEST(PackedRows, CoordinatesNameTheExampleAndThePlaceInIt) {
  const Ids offsets = testing::ids({0, 2, 2, 5, 6, 6}), example = testing::ids({9, 8, 700, 2, 1});
  Ids names({6}), places({6});
  row_coordinates(in(offsets), in(example), names.view(), places.view());
  EXPECT_TRUE(same_bits(names, testing::ids({9, 9, 700, 700, 700, 2})));
  EXPECT_TRUE(same_bits(places, testing::ids({0, 1, 0, 1, 2, 0})));
}

TEST(PackedRows, WalkingFromTheMiddleFindsTheExample) {
  const Ids offsets = testing::ids({0, 0, 2, 2, 2, 5, 6, 6});
  for (Index begin = 0; begin <= 6; ++begin) {
    Index row = begin;
    for_each_row(in(offsets), begin, 6, [&](Index e, Index index, Index at) {
      EXPECT_EQ(at, row++);
      EXPECT_LE(offsets[e], at);
      EXPECT_LT(at, offsets[e + 1]);
      EXPECT_EQ(index, at - offsets[e]);
    });
    EXPECT_EQ(row, 6);
  }
}

TEST(PackedRows, TheClsRowComesFirstInEveryExample) {
  const Ids offsets = testing::ids({0, 2, 2, 3});
  const Array<float> x = Array<float>::random({3, 5}, 1), cls = Array<float>::random({5}, 2);
  Array<float> y({6, 5});
  Ids moved({4});
  insert_cls(in(x), in(offsets), in(cls), y.view(), moved.view());
  EXPECT_TRUE(same_bits(moved, testing::ids({0, 3, 4, 6})));
  const Index from[] = {-1, 0, 1, -1, -1, 2};
  for (Index i = 0; i < 6; ++i) {
    for (Index j = 0; j < 5; ++j) {
      EXPECT_EQ(y[i * 5 + j], from[i] < 0 ? cls[j] : x[from[i] * 5 + j]);
    }
  }
}

TEST(PackedRows, GradientsOfTheClsRowMatchCentralDifferences) {
  for (const auto& bounds :
       std::vector<std::vector<std::int32_t>>{{0, 1}, {0, 0, 2}, {0, 3, 3, 4}, {0, 7}, {0, 2, 9}}) {
    for (Index d : {1, 5, 17}) {
      const Ids offsets = testing::ids(bounds);
      const Index n_examples = offsets.size() - 1, n = bounds.back();
      auto x = Array<double>::random({n, d}, 1), cls = Array<double>::random({d}, 2);
      const auto dy = Array<double>::random({n + n_examples, d}, 3);
      Array<double> dx({n, d}, 1), dcls({d}, 2), y({n + n_examples, d});
      Ids moved(offsets.shape());
      insert_cls_backward(in(dy), in(offsets), dx.view(), dcls.view());
      for (Index i = 0; i < n * d; ++i) dx[i] -= 1;
      for (Index j = 0; j < d; ++j) dcls[j] -= 2;
      const auto loss = [&] {
        insert_cls(in(x), in(offsets), in(cls), y.view(), moved.view());
        return testing::dot(y, dy);
      };
      testing::expect_gradient("x", x, dx, loss);
      testing::expect_gradient("cls", cls, dcls, loss);
    }
  }
}

TEST(PackedRows, TheClsRowsBitsDoNotDependOnThreads) {
  const Index n = 6000, d = 67;
  const Ids offsets = testing::ids({0, 1000, 2501, 2501, 6000});
  const auto x = Array<float>::random({n, d}, 1), cls = Array<float>::random({d}, 2);
  testing::expect_same_on_threads<float>({"insert_cls", "insert_cls_backward"}, [&] {
    Array<float> y({n + 4, d}), dx({n, d}), dcls({d});
    Ids moved({5});
    insert_cls(in(x), in(offsets), in(cls), y.view(), moved.view());
    insert_cls_backward(in(y), in(offsets), dx.view(), dcls.view());
    return std::vector{y, dx, dcls};
  });
}

}  // namespace
}  // namespace attune::kernels
