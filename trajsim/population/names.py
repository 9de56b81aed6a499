"""Given and family names by rough language group. Common names, put together for trajsim; no list was copied.

They make records readable and nothing else: no rate of any name is claimed, and a full name that belongs to somebody is a
coincidence.
"""

ENGLISH_WOMEN = tuple(
    """
    Abigail Adele Agnes Alexandra Alexis Alice Alicia Alison Allison Amanda Amber Amelia Amy Andrea Angela Anita Ann Anna
    Anne Annette April Arlene Ashley Audrey Ava Barbara Beatrice Bernice Bertha Beth Bethany Betty Beverly Bonnie Brandi
    Brenda Brianna Brittany Brooke Caitlin Candace Carla Carol Caroline Carolyn Carrie Catherine Cecilia Charlene Charlotte
    Chelsea Cheryl Chloe Christina Christine Cindy Clara Claire Colleen Connie Courtney Crystal Cynthia Daisy Dana Danielle
    Darlene Dawn Deanna Deborah Debra Denise Diana Diane Dolores Donna Dora Doris Dorothy Edith Edna Eileen Elaine Eleanor
    Elizabeth Ella Ellen Elsie Emily Emma Erica Erin Esther Ethel Eva Evelyn Faith Felicia Florence Frances Gail Georgia
    Gertrude Gina Gladys Glenda Gloria Grace Gwendolyn Hailey Hannah Harper Hazel Heather Heidi Helen Hilary Holly Hope Ida
    Irene Iris Isabella Jacqueline Jamie Jane Janet Janice Jasmine Jean Jeanne Jenna Jennifer Jessica Jill Joan Joanna Joanne
    Jocelyn Jodi Josephine Joy Joyce Juanita Judith Judy Julia Julie June Karen Katelyn Katherine Kathleen Kathryn Kathy
    Katie Kayla Kelly Kelsey Kendra Kim Kimberly Kristen Kristin Laura Lauren Laurie Leah Leslie Lillian Lily Linda Lisa
    Lois Loretta Lori Lorraine Louise Lucille Lucy Lydia Lynn Mabel Madeline Madison Marcia Margaret Maria Marian Marie
    Marilyn Marion Marjorie Marlene Martha Mary Maureen Megan Melanie Melinda Melissa Mia Michelle Mildred Molly Monica
    Nancy Naomi Natalie Nicole Nina Nora Norma Olivia Paige Pamela Patricia Paula Pauline Peggy Penelope Phyllis Rachel
    Rebecca Renee Rhonda Rita Roberta Robin Rosa Rose Rosemary Ruby Ruth Sabrina Sally Samantha Sandra Sara Sarah Savannah
    Shannon Sharon Sheila Shelby Shelly Sherry Shirley Sophia Stacey Stella Stephanie Sue Susan Suzanne Sydney Sylvia Tamara
    Tammy Tanya Tara Taylor Teresa Thelma Theresa Tiffany Tina Tracy Valerie Vanessa Vera Veronica Vicki Victoria Violet
    Virginia Vivian Wanda Wendy Whitney Willow Wilma Yolanda Yvonne Zoe
    """.split()
)

ENGLISH_MEN = tuple(
    """
    Aaron Adam Adrian Aidan Alan Albert Alexander Alfred Allen Alvin Andre Andrew Anthony Arnold Arthur Austin Barry Benjamin
    Bernard Bill Blake Bobby Brad Bradley Brandon Brendan Brent Brett Brian Bruce Bryan Byron Caleb Calvin Cameron Carl
    Carson Casey Cecil Chad Charles Chester Chris Christian Christopher Clarence Claude Clayton Clifford Clinton Clyde Cody
    Cole Colin Connor Corey Craig Curtis Dale Damian Damon Daniel Darrell Darren Darryl David Dean Dennis Derek Derrick
    Desmond Devin Dominic Don Donald Douglas Drew Duane Dustin Dwayne Dwight Dylan Earl Eddie Edgar Edmund Edward Edwin
    Elijah Elliot Elmer Eric Ernest Ethan Eugene Evan Everett Felix Floyd Francis Frank Franklin Fred Frederick Gabriel
    Garrett Gary Gavin Gene Geoffrey George Gerald Gilbert Glen Glenn Gordon Grant Greg Gregory Guy Harold Harry Harvey Hayden
    Henry Herbert Herman Homer Howard Hubert Hugh Hunter Ian Irving Isaac Isaiah Ivan Jack Jackson Jacob Jake James Jamal Jared
    Jason Jay Jeff Jeffery Jeffrey Jeremiah Jeremy Jermaine Jerome Jerry Jesse Jim Jimmy Joe Joel John Johnny Jonathan Jordan
    Joseph Joshua Julian Justin Keith Kelvin Kenneth Kent Kevin Kirk Kurt Kyle Lance Landon Larry Lawrence Lee Leo Leon Leonard
    Leroy Leslie Lester Levi Lewis Liam Lloyd Logan Lonnie Louis Lucas Luke Luther Malcolm Marc Marcus Mark Marshall Martin
    Marvin Mason Matthew Maurice Max Melvin Michael Miles Milton Mitchell Morris Nathan Nathaniel Neil Nicholas Noah Noel
    Norman Oliver Oscar Otis Owen Parker Patrick Paul Perry Peter Philip Phillip Preston Quentin Ralph Randall Randy Ray
    Raymond Reginald Rex Richard Rick Ricky Riley Robert Rodney Roger Roland Ron Ronald Ross Roy Russell Ryan Sam Samuel Scott
    Sean Seth Shane Shaun Shawn Sidney Simon Spencer Stanley Stephen Steve Steven Stuart Taylor Ted Terrance Terry Theodore
    Thomas Timothy Todd Tom Tommy Tony Travis Trevor Troy Tyler Tyrone Vernon Victor Vincent Wade Wallace Walter Warren Wayne
    Wesley Willard William Willie Wyatt Xavier Zachary
    """.split()
)

ENGLISH_FAMILIES = tuple(
    """
    Abbott Adams Alexander Allen Anderson Andrews Armstrong Arnold Austin Bailey Baker Baldwin Ball Banks Barber Barker Barnes
    Barnett Barrett Barton Bates Beck Becker Bell Bennett Benson Berry Bishop Black Blair Blake Boone Bowen Bowers Bowman Boyd
    Bradley Brady Brewer Brooks Brown Bryan Bryant Buchanan Burgess Burke Burns Burton Bush Butler Byrd Caldwell Campbell
    Carlson Carpenter Carr Carroll Carson Carter Casey Chambers Chandler Chapman Chase Christensen Clark Clarke Clayton Cole
    Coleman Collins Conner Cook Cooper Cox Craig Crawford Cross Cummings Cunningham Curry Curtis Dalton Daniel Daniels Davidson
    Davis Dawson Day Dean Dennis Dixon Doyle Drake Duncan Dunn Edwards Elliott Ellis Evans Farmer Ferguson Fields Fisher
    Fitzgerald Fleming Fletcher Flynn Ford Foster Fowler Fox Francis Franklin Frazier Freeman French Fuller Gardner Garrett
    George Gibbs Gibson Gilbert Gill Glover Goodman Goodwin Gordon Graham Grant Graves Gray Green Greene Greer Gregory Griffin
    Griffith Hale Hall Hamilton Hammond Hampton Hancock Hansen Hanson Hardy Harmon Harper Harrington Harris Harrison Hart Harvey
    Hawkins Hayes Haynes Henderson Henry Hicks Higgins Hill Hodges Hoffman Hogan Holland Holloway Holmes Holt Hopkins Horton
    House Houston Howard Howell Hubbard Hudson Hughes Hunt Hunter Ingram Jackson Jacobs James Jefferson Jenkins Jennings Jensen
    Johnson Johnston Jones Jordan Joseph Keller Kelley Kelly Kennedy Kent King Klein Knight Lambert Lamb Lane Larson Lawrence
    Lawson Leonard Lewis Lindsey Little Logan Long Love Lowe Lucas Lynch Lyons Mack Malone Mann Manning Marsh Marshall Martin
    Mason Matthews Maxwell McBride McCarthy McCormick McCoy McDaniel McDonald McGee McKenzie McKinney McLaughlin Meyer Miles
    Miller Mills Mitchell Montgomery Moody Moore Moran Morgan Morris Morrison Morton Moss Mullins Murphy Murray Myers Nash Neal
    Nelson Newman Newton Nichols Norman Norris Norton Oliver Olson Osborne Owen Owens Page Palmer Parker Parks Parsons Patterson
    Patton Payne Pearson Perkins Perry Peters Peterson Phelps Phillips Pierce Poole Pope Porter Potter Powell Powers Pratt Price
    Quinn Ramsey Randall Ray Reed Reese Reeves Reid Reynolds Rhodes Rice Richards Richardson Riley Roberts Robertson Robinson
    Rogers Rose Ross Rowe Russell Ryan Sanders Saunders Schmidt Schneider Schultz Schwartz Scott Sharp Shaw Shelton Sherman Simmons
    Simon Simpson Sims Singleton Smith Snyder Sparks Spencer Stanley Steele Stephens Stevens Stevenson Stewart Stone Strickland
    Sullivan Summers Sutton Swanson Tate Taylor Terry Thomas Thompson Thornton Todd Townsend Tucker Turner Tyler Underwood
    Vaughn Wade Wagner Walker Wallace Walsh Walters Walton Ward Warner Warren Washington Waters Watkins Watson Watts Weaver Webb
    Weber Webster Welch Wells West Wheeler White Wilkerson Wilkins Wilkinson Williams Williamson Willis Wilson Winters Wise Wolfe
    Wood Woods Wright Yates York Young Zimmerman
    """.split()
)

SPANISH_WOMEN = tuple(
    """
    Adela Adriana Agustina Aida Alba Alejandra Alicia Alma Altagracia Amalia Amparo Ana Anabel Andrea Angelica Antonia Araceli
    Aurora Azucena Beatriz Belen Berta Bianca Blanca Brenda Camila Candelaria Carla Carlota Carmen Carolina Catalina Cecilia
    Celia Clara Claudia Concepcion Consuelo Cristina Dalia Daniela Delia Diana Dolores Dulce Elba Elena Elisa Elsa Elvira
    Emilia Enriqueta Ernestina Esmeralda Esperanza Estefania Estela Ester Eugenia Eva Evangelina Fabiola Fatima Felicitas Fernanda
    Flor Francisca Gabriela Genoveva Gloria Graciela Guadalupe Guillermina Herminia Hilda Ignacia Ines Inmaculada Irene Irma
    Isabel Ivonne Jacinta Jimena Josefina Juana Judit Julia Juliana Karina Laura Leonor Leticia Lidia Liliana Lola Lorena Lourdes
    Lucia Luisa Luz Magdalena Manuela Marcela Margarita Maria Mariana Maribel Maricela Marina Marisol Marta Martina Matilde
    Mayra Mercedes Micaela Milagros Minerva Mireya Miriam Monica Nadia Natalia Nayeli Nelida Noemi Nora Norma Nuria Ofelia Olga
    Olivia Paloma Paola Patricia Paula Paulina Perla Petra Pilar Priscila Ramona Raquel Rebeca Refugio Regina Reina Renata Rocio
    Rosa Rosalia Rosario Ruth Salma Sandra Sara Silvia Socorro Sofia Soledad Sonia Susana Tamara Teresa Trinidad Valentina
    Valeria Vanesa Veronica Victoria Violeta Virginia Viviana Ximena Xiomara Yadira Yesenia Yolanda Zoraida Zulema
    """.split()
)

SPANISH_MEN = tuple(
    """
    Abel Abraham Adalberto Adan Adolfo Adrian Agustin Alberto Alejandro Alexis Alfonso Alfredo Alonso Alvaro Amado Anastasio Andres
    Angel Anibal Antonio Ariel Armando Arnulfo Arturo Augusto Aurelio Baltasar Bartolome Benito Benjamin Bernardo Braulio Bruno
    Camilo Carlos Cayetano Cesar Claudio Clemente Conrado Cristian Cristobal Dagoberto Damian Daniel Dario David Delfino Demetrio
    Diego Domingo Edgardo Edmundo Eduardo Efrain Eladio Eleazar Elias Eliseo Emanuel Emiliano Emilio Enrique Erasmo Ernesto Esteban
    Eugenio Evaristo Ezequiel Fabian Facundo Federico Felipe Felix Fermin Fernando Fidel Francisco Fulgencio Gabriel Genaro
    Gerardo German Gilberto Gonzalo Gregorio Guillermo Gustavo Hector Heriberto Hernan Hilario Hipolito Horacio Hugo Humberto
    Ignacio Isaac Isidro Ismael Israel Ivan Jacinto Jacobo Jaime Javier Jeronimo Jesus Joaquin Jonas Jorge Jose Josue Juan
    Julian Julio Justo Lazaro Leandro Leonardo Leonel Leopoldo Lorenzo Lucas Luciano Luis Macario Manuel Marcelino Marcelo Marcos
    Mariano Mario Martin Mateo Matias Mauricio Maximo Miguel Misael Moises Nahum Nestor Nicanor Nicolas Octavio Omar Orlando Oscar
    Osvaldo Pablo Pascual Patricio Pedro Porfirio Quintin Rafael Ramiro Ramon Raul Raymundo Reinaldo Rene Ricardo Rigoberto
    Roberto Rodolfo Rodrigo Rogelio Rolando Roman Ruben Salvador Samuel Santiago Santos Saturnino Saul Sebastian Sergio Silverio
    Silvestre Simon Teodoro Timoteo Tomas Ulises Valentin Vicente Victor Virgilio Wilfredo Xavier Zacarias
    """.split()
)

SPANISH_FAMILIES = tuple(
    """
    Acevedo Acosta Aguilar Aguirre Alarcon Alfaro Almonte Alonso Alvarado Alvarez Amador Amaya Anaya Aranda Arce Arellano Arias
    Armenta Arroyo Avalos Avila Ayala Baca Baez Barajas Barrera Barrios Bautista Becerra Beltran Benavides Benitez Bermudez Bernal
    Blanco Bonilla Bravo Bueno Burgos Bustamante Caballero Cabrera Calderon Camacho Campos Cano Cantu Cardenas Cardona Carmona
    Carranza Carrasco Carrillo Castaneda Castellanos Castillo Castro Ceballos Cervantes Chavez Cisneros Colon Contreras Cordero
    Cordova Coronado Corral Cortes Cortez Cruz Cuellar Cuevas Davila Delacruz Delgado Diaz Dominguez Duarte Duran Elizondo Enriquez
    Escamilla Escobar Escobedo Espinosa Espinoza Esquivel Estrada Fajardo Feliciano Fernandez Figueroa Flores Franco Frias Fuentes
    Galindo Gallardo Gallegos Galvan Gamboa Gamez Garay Garcia Garza Gomez Gonzalez Granados Guerra Guerrero Guevara Gutierrez
    Guzman Haro Henriquez Heredia Hernandez Herrera Hidalgo Hinojosa Huerta Hurtado Ibarra Iglesias Jaimes Jaramillo Jimenez Juarez
    Lara Leal Leiva Leon Lerma Leyva Linares Llamas Lopez Lozano Lucero Lugo Luna Macias Maldonado Manzano Marin Marquez Marrero
    Martinez Mata Matos Medina Medrano Mejia Melendez Melgar Mendez Mendoza Mercado Meza Miranda Molina Montalvo Montanez Montes
    Montoya Mora Morales Moreno Muniz Munoz Murillo Najera Naranjo Navarro Negron Nieto Noriega Nunez Ocampo Ochoa Ojeda Olivares
    Olivas Oliveira Olmos Orellana Orozco Ortega Ortiz Osorio Otero Pabon Pacheco Padilla Palacios Palomino Pantoja Paredes Parra
    Paz Pedraza Pena Peralta Perez Pineda Pinto Ponce Portillo Prado Preciado Puente Quezada Quinones Quintana Quintero Quiroz
    Ramirez Ramos Rangel Razo Rendon Renteria Reyes Rincon Rios Rivas Rivera Robles Rocha Rodriguez Rojas Roldan Roman Romero Romo
    Rosado Rosales Rosario Rubio Ruiz Saavedra Saenz Salas Salazar Salcedo Saldana Salgado Salinas Samaniego Sanchez Sandoval
    Santana Santiago Santillan Santos Sauceda Segura Sepulveda Serna Serrano Sierra Silva Solano Solis Solorio Sosa Soto Suarez
    Tafoya Talavera Tamayo Tapia Tejada Tellez Terrazas Toledo Torres Tovar Trejo Trevino Trujillo Ulloa Uribe Valadez Valdes Valdez
    Valencia Valenzuela Valle Vallejo Varela Vargas Vasquez Vega Velasco Velazquez Velez Venegas Vera Vergara Vidal Viera Villa
    Villalobos Villanueva Villarreal Villegas Yanez Zamora Zapata Zarate Zavala Zepeda Zuniga
    """.split()
)

ASIAN_WOMEN = tuple(
    """
    Aditi Aiko Akemi Akiko Amisha Amrita Anh Anika Anjali Ananya Aparna Archana Arundhati Asha Asuka Ayaka Ayumi Bao Bhavna Bich
    Bora Chandra Chau Chen Chika Chitra Chiyo Chunhua Cuc Dao Deepa Deepika Devika Diem Divya Dung Emiko Eri Eunji Eunjung Fang
    Fei Fumiko Gauri Geeta Giang Guiying Hana Hanh Haruka Hien Hina Hiroko Hoa Hong Hongmei Hua Huan Hue Huong Hyejin Hyun Indira
    Isha Jaya Jia Jiayi Jieun Jihye Jin Jing Jisoo Jiyeon Juan Junko Jyoti Kala Kamala Kanako Kaori Kavita Kazuko Keiko Kieu Kim
    Kiran Kumiko Kyoko Kyung Lakshmi Lalita Lan Lata Lei Leela Lian Lien Lihua Lin Ling Linh Loan Mai Malati Manisha Mariko Mayumi
    Meena Meera Mei Meiling Michiko Midori Miho Mika Min Minh Minji Minsuh Miyako Mizuki Mohini My Nalini Namrata Nanami Naoko Natsuki
    Neha Nga Ngan Ngoc Nguyet Nhi Nhung Nisha Nitya Noriko Oanh Padma Pallavi Pooja Prachi Pranali Priya Phuong Qian Qing Quyen
    Radha Rani Reiko Rekha Rena Ritu Rong Ruchi Rui Rupa Sachiko Sadhana Sakura Sandhya Sangita Sanjana Sapna Sarita Saya Seema
    Seoyeon Shanti Shilpa Shizuka Shobha Shreya Shu Smita Sneha Soojin Sooyoung Suda Sujata Sumiko Sunita Sushma Swati Takako Tam
    Tanuja Tanvi Thanh Thao Thi Thuy Tien Tomoko Trang Trinh Truc Tuyet Uma Usha Van Vandana Vasudha Vidya Vy Wei Wen Xia Xiaoli
    Xin Xiu Xuan Yan Yasuko Yen Yejin Yi Ying Yoko Yoshiko Youngmi Yu Yue Yuki Yuko Yumi Yun Zhen Zhi
    """.split()
)

ASIAN_MEN = tuple(
    """
    Abhishek Aditya Ajay Akash Akio Akira Amit Amol An Anand Anil Anirudh Arjun Arun Ashok Ashwin Atsushi Bao Bharat Bin Binh Bo
    Byung Canh Chaitanya Chang Chao Cheng Chetan Chi Chien Chinh Cong Cuong Daichi Daisuke Dat Deepak Dev Dinesh Dong Donghyun
    Duc Dung Duy Eiji Feng Fumio Ganesh Gang Gaurav Girish Gopal Guang Guoqiang Ha Hai Hao Haruki Haruto Hideki Hieu Hiroshi Hiroto
    Hoang Hong Hung Huy Hyunwoo Inho Ishan Isamu Jae Jaehyun Jagdish Jayant Jian Jianguo Jie Jihoon Jinho Jiro Joon Jun Junho Junichi
    Kailash Kaito Kang Karan Karthik Kazuo Kei Keiichi Kenji Kenta Khai Khang Khanh Khoa Kiet Kiran Kishore Koji Kosuke Krishna Kumar
    Kunal Kwang Lam Lan Lei Liang Lin Loc Long Luan Madhav Mahesh Makoto Manoj Masao Masaru Minato Ming Minho Minjun Mohan Mukesh Nam
    Naoki Narayan Naveen Nghia Nikhil Nitin Noboru Osamu Pankaj Peng Phat Phong Phuc Prakash Pramod Pranav Prasad Qiang Quan Quang
    Raghav Rahul Raj Rajan Rajesh Raju Rakesh Ramesh Ravi Ren Riku Rohan Rohit Ryo Ryota Sachin Sahil Sai Sandeep Sang Sanjay Satoru
    Satoshi Satish Seiji Seung Shankar Sheng Shigeru Shin Shinji Shiro Shoji Shota Shyam Siddharth Son Sota Srinivas Subash Sudhir
    Sunghoon Sunil Suresh Susumu Tadashi Tai Taeyang Takashi Takeshi Tan Tao Taro Tarun Tetsuo Thang Thanh Thien Thinh Tho Tien Tin
    Toan Toru Toshio Tri Trung Truong Tsutomu Tuan Tung Uday Umesh Van Varun Vien Vijay Vikram Vinay Vinh Vinod Viet Vishal Vivek
    Vu Wei Wen Woojin Xiang Xiaoming Xin Yang Yash Yasuo Yi Yong Yoshio Youngho Yu Yuji Yuki Yuto Zhen Zhiwei Zihan
    """.split()
)

ASIAN_FAMILIES = tuple(
    """
    Abe Acharya Agarwal Ahn An Ando Aoki Arai Arora Aquino Bach Bae Baek Bai Bajaj Bang Banerjee Bansal Basu Bautista Bhandari Bhatia
    Bhatt Bhattacharya Bui Byun Cai Cao Cha Chakraborty Chan Chandra Chang Chatterjee Chau Chaudhary Chawla Chen Cheng Cheung Chiang
    Chin Chiu Cho Choi Chong Chopra Chou Chow Chowdhury Chu Chua Chun Chung Cui Dai Dang Das Dasgupta Desai Deng Deshpande Dhillon
    Ding Dinh Dizon Do Doan Dong Du Duan Dubey Duong Dutta Endo Eom Fan Fang Feng Fu Fujii Fujimoto Fujita Fukuda Fung Gandhi Gao
    Garg Ghosh Gill Gong Goto Goyal Gu Guan Guo Gupta Ha Hahm Han Hara Hasegawa Hashimoto Hayashi He Heo Hirano Hirata Ho Hoang Hong
    Hou Hsieh Hsu Hu Hua Huang Hung Huynh Hwang Im Imai Inoue Ishii Ishikawa Ito Iwasaki Iyer Jain Jang Jeon Jeong Jha Ji Jia Jiang
    Jin Jo Joshi Jung Kang Kaneko Kapoor Kato Kaur Kawaguchi Kawasaki Khanna Khatri Kikuchi Kim Kimura Ko Kobayashi Koh Kojima Kondo
    Kong Krishnan Kulkarni Kumar Kuo Kwon Kwan Kwok Lai Lam Lau Le Lee Leung Li Liang Liao Lim Lin Ling Liu Lo Lu Lui Luo Luong Luu Ly
    Ma Mai Malhotra Malik Maruyama Matsuda Matsumoto Matsuo Mehra Mehta Menon Meng Mishra Mitra Miura Miyamoto Miyazaki Mohan Mori
    Morita Mukherjee Murakami Murata Murthy Na Nagai Nagata Nair Naito Nakagawa Nakajima Nakamura Nakano Nam Nanda Narayanan Nayak
    Ng Ngo Nguyen Nishida Nishimura Noda Noguchi Noh Oda Ogawa Oh Ok Okada Okamoto Ono Ota Ouyang Pan Pandey Pandya Pang Parekh Park
    Patel Pathak Patil Peng Pham Phan Phung Pillai Prasad Qi Qian Qin Qiu Quach Rai Raman Ramaswamy Rana Rao Rastogi Rathore Rawat
    Reddy Ren Rhee Roh Roy Ryu Saito Sakai Sakamoto Sakurai Sano Santos Sasaki Sato Saxena Sen Seo Sethi Shah Shao Sharma Shen Shetty
    Shi Shibata Shimizu Shin Shinde Shukla Sim Singh Sinha Sohn Son Song Sridhar Srinivasan Srivastava Su Subramanian Sugiyama Suh
    Sun Suzuki Ta Tai Takahashi Takeda Tam Tamura Tan Tanaka Tang Tao Teng Teo Thakur Thapa Tian Ting Tiwari To Ton Tong Tran Tripathi
    Trinh Truong Tsai Tse Tseng Tsui Tu Uchida Ueda Ueno Varma Venkatesan Verma Vo Vu Vuong Vyas Wada Wakabayashi Wan Wang Watanabe
    Wei Wen Wong Woo Wu Xia Xiao Xie Xiong Xu Xue Yadav Yamada Yamaguchi Yamamoto Yamashita Yan Yang Yao Ye Yee Yi Yim Yin Yokoyama
    Yoo Yoon Yoshida You Yu Yuan Yun Zeng Zhai Zhan Zhang Zhao Zheng Zhong Zhou Zhu Zou
    """.split()
)

# Streets that no town has: an invented first half joined to a second one.
STREET_FIRST_HALVES = tuple(
    """
    Zalder Quenby Vostrel Yorrick Quillow Zephan Ostram Xandry Vellorin Thackle Quorum Zintar Wexmoor Jorvale Krendel Nuvaly Ombrel
    Pellamy Ristwick Skarrow Tolvane Umberly Vantage Wrenolt Yavelin Zumwald Ardelay Brindlow Corvasse Dunmarle Elvorne Fennimar
    Grindelle Hollowby Ibbersley Jasperel Kestorn Lorrimond Mistavale Noxbury
    """.split()
)
STREET_SECOND_HALVES = ("Simulation", "Sample", "Synthetic", "Testbed", "Phantom", "Fictional", "Invented", "Imaginary")
STREET_KINDS = (
    "Street", "Avenue", "Road", "Lane", "Drive", "Court", "Place", "Way", "Terrace", "Boulevard", "Circle", "Trail",
)  # fmt: skip
