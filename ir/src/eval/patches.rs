//! What each output pixel of a convolution reads.

use std::ops::Range;

use crate::op::Conv2d;

/// How many output pixels are gathered at a time: enough for the product to run at full speed, few enough
/// for the gathered rows to stay in the cache.
const PIXELS_AT_A_TIME: usize = 256;

/// The sizes of a convolution, and where its patches lie.
pub(super) struct Patches {
    /// Height and width of the result.
    pub(super) height: usize,
    pub(super) width: usize,
    /// Input and output channels of one group.
    c_in: usize,
    pub(super) c_out: usize,
    pub(super) groups: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    image: [usize; 3],
}

impl Patches {
    /// Those of `op` on an image of the one shape, whose result has the other.
    pub(super) fn new(op: &Conv2d, image: &[usize], result: &[usize]) -> Option<Self> {
        let (&[height, width, outputs], &[_, kernel_height, kernel_width, c_in]) = (result, op.kernel.shape()) else {
            return None;
        };
        Some(Self {
            height,
            width,
            c_in,
            c_out: outputs / op.groups,
            groups: op.groups,
            kernel: [kernel_height, kernel_width],
            stride: op.stride,
            dilation: op.dilation,
            image: image.try_into().ok()?,
        })
    }

    /// How many numbers an image has.
    pub(super) fn image_length(&self) -> usize {
        self.image.iter().product()
    }

    /// How many numbers the results of one image have.
    pub(super) fn result_length(&self) -> usize {
        self.height * self.width * self.groups * self.c_out
    }

    /// How many numbers one element of the result is computed from.
    pub(super) fn length(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.c_in
    }

    /// Blocks of output pixels, by their row-major positions.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> {
        let pixels = self.height * self.width;
        (0..pixels).step_by(PIXELS_AT_A_TIME).map(move |start| start..pixels.min(start + PIXELS_AT_A_TIME))
    }

    /// The numbers of a group that each of the output pixels reads, in the order of the kernel's.
    pub(super) fn gather<T: Copy, U>(
        &self,
        group: usize,
        pixels: Range<usize>,
        image: &[T],
        convert: impl Fn(T) -> U,
    ) -> Vec<U> {
        let [_, image_width, channels] = self.image;
        let mut patches = Vec::with_capacity(pixels.len() * self.length());
        for pixel in pixels {
            let (y, x) = (pixel / self.width * self.stride[0], pixel % self.width * self.stride[1]);
            for i in 0..self.kernel[0] {
                for j in 0..self.kernel[1] {
                    let at = (y + i * self.dilation[0]) * image_width + x + j * self.dilation[1];
                    let start = at * channels + group * self.c_in;
                    patches.extend(image[start..start + self.c_in].iter().map(|&value| convert(value)));
                }
            }
        }
        patches
    }

    /// Puts the elements of a group, `c_out` for each of the pixels, where they stand in the result of an image.
    pub(super) fn scatter<T: Copy>(
        &self,
        group: usize,
        pixels: Range<usize>,
        elements: impl IntoIterator<Item = T>,
        result: &mut [T],
    ) {
        let (all, mut elements) = (self.groups * self.c_out, elements.into_iter());
        for pixel in pixels {
            let own = result[pixel * all + group * self.c_out..].iter_mut().take(self.c_out);
            own.zip(&mut elements).for_each(|(to, element)| *to = element);
        }
    }
}
