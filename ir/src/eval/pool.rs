//! Max-pooling.

/// The greatest element of each window, and of `floor` where there is one; `shape` is that of the result.
pub(super) fn max_pool<T: Copy>(
    window: [usize; 2],
    floor: Option<T>,
    image: &[T],
    shape: &[usize],
    max: impl Fn(T, T) -> T,
) -> Vec<T> {
    let &[height, width, channels] = shape else {
        return Vec::new();
    };
    let row_length = width * window[1] * channels;
    let mut pooled = Vec::with_capacity(height * width * channels);
    for y in 0..height {
        for x in 0..width {
            let corner = y * window[0] * row_length + x * window[1] * channels;
            let start = pooled.len();
            pooled.extend_from_slice(&image[corner..corner + channels]);
            let greatest = &mut pooled[start..];
            for i in 0..window[0] {
                let row = corner + i * row_length;
                for pixel in image[row..row + window[1] * channels].chunks(channels) {
                    for (so_far, &value) in greatest.iter_mut().zip(pixel) {
                        *so_far = max(*so_far, value);
                    }
                }
            }
            if let Some(floor) = floor {
                for value in greatest {
                    *value = max(*value, floor);
                }
            }
        }
    }
    pooled
}
