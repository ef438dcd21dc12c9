"""The data sets that ship with mixedlm_pt; the rows are in ``data/<name>.csv``."""

from mixedlm_pt.datasets.dataset import Dataset, Factor, Integer, Real

LME4 = "R package lme4 (Bates, Maechler, Bolker & Walker 2015, J. Stat. Softw. 67(1))"

NO_YES = ("N", "Y")

ARABIDOPSIS = Dataset(
    name="Arabidopsis",
    title="Response of Arabidopsis to fertilization and simulated herbivory",
    source=f"{LME4}; Banta, Stevens & Pigliucci (2010) Oikos 119:359-369",
    n_rows=625,
    columns={
        "reg": Factor("region: Netherlands, Spain or Sweden", ("NL", "SP", "SW")),
        "popu": Factor(
            "population within region",
            ("1.SP", "1.SW", "2.SW", "3.NL", "5.NL", "5.SP", "6.SP", "7.SW", "8.SP"),
        ),
        "gen": Integer("genotype, one of 24"),
        "rack": Integer("greenhouse rack, 1 or 2"),
        "nutrient": Integer("1 minimal, 8 added nutrients"),
        "amd": Factor("apical meristem damage (clipping)", ("clipped", "unclipped")),
        "status": Factor("germination method", ("Normal", "Petri.Plate", "Transplant")),
        "total.fruits": Integer("fruits of the plant"),
    },
)

CBPP = Dataset(
    name="cbpp",
    title="Contagious bovine pleuropneumonia in herds of zebu cattle, Ethiopia",
    source=f"{LME4}; Lesnoff et al. (2004) Preventive Veterinary Medicine 64:27-40",
    n_rows=56,
    columns={
        "herd": Factor("herd"),
        "incidence": Integer("new serological cases in the period"),
        "size": Integer("animals in the herd at the start of the period"),
        "period": Factor("period of about three months"),
    },
)

CONTRACEPTION = Dataset(
    name="Contraception",
    title="Use of contraception by women in Bangladesh, fertility survey of 1988-89",
    source="R package mlmRev; Huq & Cleland (1990) Bangladesh Fertility Survey 1989; "
    "Steele, Diamond & Amin (1996) JRSS A 159:289-299",
    n_rows=1934,
    columns={
        "woman": Factor("woman"),
        "district": Factor("district"),
        "use": Factor("uses contraception at the time of the survey", NO_YES),
        "livch": Factor("living children", ("0", "1", "2", "3+")),
        "age": Real("age, years from the mean"),
        "urban": Factor("lives in an urban region", NO_YES),
    },
)

CULCITALOGREG = Dataset(
    name="culcitalogreg",
    title="Sea-star predation on corals with and without symbiont defenders, in blocks",
    source="lme4 test data (culcita_dat); "
    "McKeon, Stier, McIlroy & Bolker (2012) Oecologia 169:1095-1103",
    n_rows=80,
    columns={
        "block": Factor("block"),
        "predation": Integer("1 where the coral was preyed upon"),
        "ttt": Factor("defenders present", ("none", "crabs", "shrimp", "both")),
    },
)

EPIL2 = Dataset(
    name="epil2",
    title="Epileptic seizures in four two-week periods under placebo or progabide",
    source="R package glmmTMB, after MASS::epil; Thall & Vail (1990) Biometrics 46:657-671; "
    "Booth, Casella, Friedl & Hobert (2003) Statistical Modelling 3:179-191",
    n_rows=236,
    columns={
        "y": Integer("seizures in the period"),
        "trt": Factor("treatment", ("placebo", "progabide")),
        "base": Integer("seizures in the eight weeks before treatment"),
        "age": Integer("age, years"),
        "V4": Integer("1 in period 4"),
        "subject": Integer("subject, 1 to 59"),
        "period": Integer("period, 1 to 4"),
        "lbase": Real("log(base), centred"),
        "lage": Real("log(age), centred"),
        "Visit": Real("(period - 2.5) / 5"),
        "Base": Real("log(base / 4)"),
        "Age": Real("log(age)"),
    },
)

GROUSETICKS = Dataset(
    name="grouseticks",
    title="Ticks on the heads of red grouse chicks",
    source=f"{LME4}; Elston et al. (2001) Parasitology 122:563-569",
    n_rows=403,
    columns={
        "INDEX": Factor("chick, one level a row"),
        "TICKS": Integer("ticks found"),
        "BROOD": Factor("brood"),
        "HEIGHT": Integer("height above sea level, m"),
        "YEAR": Factor("year - 1900"),
        "LOCATION": Factor("location"),
        "cHEIGHT": Real("HEIGHT, centred"),
    },
)

GUIMMUN = Dataset(
    name="guImmun",
    title="Immunization of children in Guatemala, within families within communities",
    source="R package mlmRev; Rodriguez & Goldman (1995) JRSS A 158:73-89, (2001) 164:339-355",
    n_rows=2159,
    columns={
        "kid": Factor("child"),
        "mom": Factor("mother"),
        "comm": Factor("community"),
        "immun": Factor("received the complete set of immunizations", NO_YES),
        "kid2p": Factor("child was at least 2 years old at the survey", NO_YES),
        "mom25p": Factor("mother was at least 25 years old", NO_YES),
        "ord": Factor("birth order: first, 2-3, 4-6, 7 or later", ("01", "23", "46", "7p")),
        "ethn": Factor(
            "mother: Ladino, indigenous not speaking Spanish, indigenous speaking Spanish",
            ("L", "N", "S"),
        ),
        "momEd": Factor(
            "mother finished: not even primary, primary, secondary school", ("N", "P", "S")
        ),
        "husEd": Factor("husband finished: as momEd, or unknown", ("N", "P", "S", "U")),
        "momWork": Factor("mother ever worked outside the home", NO_YES),
        "rural": Factor("family lives in a rural area", NO_YES),
        "pcInd81": Real("share of indigenous population in the community, census of 1981"),
    },
)

INSTEVAL = Dataset(
    name="InstEval",
    title="Lecture evaluations by students at ETH Zurich",
    source=LME4,
    n_rows=73421,
    is_compressed=True,
    columns={
        "s": Factor("student"),
        "d": Factor("lecturer"),
        "studage": Factor("semesters the student has been enrolled", is_ordered=True),
        "lectage": Factor("semesters since the lecture", is_ordered=True),
        "service": Factor("1 for a lecture outside the lecturer's own department"),
        "dept": Factor(
            "department of the lecture",
            tuple("15 5 10 12 6 7 4 8 9 14 1 3 11 2".split()),
        ),
        "y": Integer("rating, 1 poor to 5 very good"),
    },
)

MMMEC = Dataset(
    name="Mmmec",
    title="Deaths of malignant melanoma in the European Community, by county",
    source="R package mlmRev; Langford, Bentham & McDonald (1998) Statistics in Medicine 17:41-58",
    n_rows=354,
    columns={
        "nation": Factor(
            "nation",
            (
                "Belgium",
                "W.Germany",
                "Denmark",
                "France",
                "UK",
                "Italy",
                "Ireland",
                "Luxembourg",
                "Netherlands",
            ),
        ),
        "region": Factor("region within nation"),
        "county": Factor("county within region"),
        "deaths": Integer("male deaths, 1971-1980"),
        "expected": Real("expected deaths"),
        "uvb": Real("dose of UVB at the ground, centred"),
    },
)

OHIO = Dataset(
    name="ohio",
    title="Wheezing of children in Ohio, yearly from age 7 to 10",
    source="R package geepack; Fitzmaurice & Laird (1993) Biometrika 80:141-151",
    n_rows=2148,
    columns={
        "resp": Integer("1 where the child wheezes"),
        "id": Integer("child"),
        "age": Integer("age, years from 9"),
        "smoke": Integer("1 where the mother smoked in the first year of the study"),
    },
)

OWLS = Dataset(
    name="Owls",
    title="Begging of barn owl nestlings",
    source="R package glmmTMB; Roulin & Bersier (2007) Animal Behaviour 74:1099-1106; "
    "Zuur et al. (2009) Mixed Effects Models and Extensions in Ecology with R",
    n_rows=599,
    columns={
        "Nest": Factor(
            "nest",
            tuple(
                "AutavauxTV Bochet Champmartin ChEsard Chevroux CorcellesFavres Etrabloz Forel "
                "Franex GDLV Gletterens Henniez Jeuss LesPlanches Lucens Lully Marnand Montet "
                "Murist Oleyes Payerne Rueyes Seiry Sevaz StAubin Trey Yvonnand".split()
            ),
        ),
        "FoodTreatment": Factor("food treatment", ("Deprived", "Satiated")),
        "SexParent": Factor("sex of the provisioning parent", ("Female", "Male")),
        "ArrivalTime": Real("arrival of the parent, hour of the night from 0:00 of the first day"),
        "SiblingNegotiation": Integer("calls of the brood before the arrival"),
        "BroodSize": Integer("nestlings in the brood"),
        "NegPerChick": Real("SiblingNegotiation / BroodSize"),
        "logBroodSize": Real("log(BroodSize)"),
    },
)

PETROL = Dataset(
    name="petrol",
    title="Prater's yield of gasoline from 10 crude oils",
    source="R package MASS; Prater (1956) Petroleum Refiner 35:236-238; Daniel & Wood (1980)",
    n_rows=32,
    columns={
        "No": Factor("crude oil", tuple("ABCDEFGHIJ")),
        "SG": Real("specific gravity, degrees API"),
        "VP": Real("vapour pressure, lb per square inch"),
        "V10": Integer("volatility: ASTM 10% point"),
        "EP": Integer("end point of the gasoline"),
        "Y": Real("yield, % of the crude"),
    },
)

SALAMANDERS = Dataset(
    name="Salamanders",
    title="Salamanders in streams with and without mountaintop removal mining",
    source="R package glmmTMB (Brooks et al. 2017, R Journal 9:378-400); "
    "Price et al. (2016) J. Applied Ecology 53:459-468",
    n_rows=644,
    columns={
        "site": Factor(
            "site, sampled four times",
            tuple(
                "R-1 R-2 R-3 R-4 R-5 R-6 R-7 R-8 R-9 R-10 R-11 R-12 VF-1 VF-2 VF-3 VF-4 VF-5 "
                "VF-6 VF-7 VF-8 VF-9 VF-10 VF-11".split()
            ),
            is_ordered=True,
        ),
        "mined": Factor("affected by mining", ("yes", "no")),
        "cover": Real("cover objects in the stream, scaled"),
        "sample": Integer("repeated sample, 1 to 4"),
        "DOP": Real("days since precipitation, scaled"),
        "Wtemp": Real("water temperature, scaled"),
        "DOY": Real("day of the year, scaled"),
        "spp": Factor(
            "species, some with life stage", ("GP", "PR", "DM", "EC-A", "EC-L", "DES-L", "DF")
        ),
        "count": Integer("salamanders seen"),
    },
)

SLEEPSTUDY = Dataset(
    name="sleepstudy",
    title="Reaction times in a sleep deprivation study",
    source=f"{LME4}; Belenky et al. (2003) Journal of Sleep Research 12:1-12",
    n_rows=180,
    columns={
        "Reaction": Real("average reaction time of the day, ms"),
        "Days": Integer("days of sleep deprivation"),
        "Subject": Factor("subject"),
    },
)

VERBAGG = Dataset(
    name="VerbAgg",
    title="Verbal aggression: answers of 316 persons to 24 items",
    source=f"{LME4}; De Boeck & Wilson (2004) Explanatory Item Response Models; "
    "Vansteelandt (2000)",
    n_rows=7584,
    is_compressed=True,
    columns={
        "Anger": Integer("trait anger score (STAXI) of the person"),
        "Gender": Factor("gender of the person", ("F", "M")),
        "item": Factor(
            "item",
            tuple(
                "S1WantCurse S1WantScold S1WantShout S2WantCurse S2WantScold S2WantShout "
                "S3WantCurse S3WantScold S3WantShout S4wantCurse S4WantScold S4WantShout "
                "S1DoCurse S1DoScold S1DoShout S2DoCurse S2DoScold S2DoShout "
                "S3DoCurse S3DoScold S3DoShout S4DoCurse S4DoScold S4DoShout".split()
            ),
        ),
        "resp": Factor("answer", ("no", "perhaps", "yes"), is_ordered=True),
        "id": Factor("person"),
        "btype": Factor("behaviour", ("curse", "scold", "shout")),
        "situ": Factor("who is to blame in the situation", ("other", "self")),
        "mode": Factor("wanting to or doing", ("want", "do")),
        "r2": Factor("answer is perhaps or yes", NO_YES),
    },
)

WINE = Dataset(
    name="wine",
    title="Bitterness of white wine rated by nine judges",
    source="R package ordinal; Randall (1989) Biometrical Journal 31:781-793",
    n_rows=72,
    columns={
        "response": Integer("bitterness on a scale from 0 to 100"),
        "rating": Factor("response in five grades", is_ordered=True),
        "temp": Factor("temperature when the grapes were crushed", ("cold", "warm")),
        "contact": Factor("contact between juice and skins", ("no", "yes")),
        "bottle": Factor("bottle"),
        "judge": Factor("judge"),
    },
)

DATASETS = {
    dataset.name: dataset
    for dataset in (
        ARABIDOPSIS,
        CBPP,
        CONTRACEPTION,
        CULCITALOGREG,
        EPIL2,
        GROUSETICKS,
        GUIMMUN,
        INSTEVAL,
        MMMEC,
        OHIO,
        OWLS,
        PETROL,
        SALAMANDERS,
        SLEEPSTUDY,
        VERBAGG,
        WINE,
    )
}
