//! The way of a picture to its model, for people to look at.

use super::plane::Plane;
use super::{Preprocess, fitted, ink};
use crate::decode::{Channels, Picture};

/// Is told the name and the values of each stage.
pub(super) type Watch<'a> = &'a mut dyn FnMut(&'static str, &Plane);

/// A picture of one step of preprocessing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// `picture`, then of ink `ground`, `contrast`, `without-lines`, `character` and `usual-stroke`, then `seen`. Those
    /// of ink come again where it was looked for otherwise or closer.
    pub name: &'static str,
    pub picture: Picture,
}

/// What [`super::prepare`] does, step by step; the last one is what the model sees.
pub fn stages(picture: &Picture, how: &Preprocess, height: usize, width: usize) -> Vec<Stage> {
    let mut stages = vec![Stage { name: "picture", picture: picture.clone() }];
    let mut watch = |name, Plane { width, height, values }: &Plane| {
        let (width, height) = (*width as u32, *height as u32);
        stages
            .push(Stage { name, picture: Picture { width, height, channels: Channels::Luma, pixels: values.clone() } });
    };
    let pixels = match how {
        Preprocess::Ink { fit, .. } => {
            let ink = ink::find(picture, *fit, height, width, &mut watch);
            fitted::fitted(ink, *fit, height, width, &mut watch)
        }
        Preprocess::Resize(resize) => resize.pixels(picture, height, width),
    };
    let (width, height) = (width as u32, height as u32);
    stages.push(Stage { name: "seen", picture: Picture { width, height, channels: picture.channels, pixels } });
    stages
}
